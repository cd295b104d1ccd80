// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Disks in memory, behind the kernel's network block device. One thread serves
 * all of them, so that there is one order of all that reaches them; it takes the
 * requests that wait in an order of its own choice. Acknowledged is not durable:
 * what would be left after a power cut is worked out from the log, in cut.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tools/common.h"
#include "torture.h"

#define MEMORY		(640ul << 20)
#define MAX_WAITING	256
#define HOLD_ONE_IN	24	/* a request that the others overtake */
#define LATE_ONE_IN	3	/* flushes are done, and others are answered before */
#define FAILED_LATE_OF	3	/* all but one of so many that fail */

struct waiting {
	struct request request;
	uint8_t cookie[8];
	uint32_t type;
	unsigned int held;	/* others that are served before */
};

unsigned int nr_disks;
uint32_t disk_sectors[MAX_DISKS];
const uint8_t unreadable[SECTOR];

static const uint8_t zeroes[SECTOR];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct state live;
static int sockets[MAX_DISKS];
static struct waiting waiting[MAX_WAITING], late[MAX_WAITING];
static unsigned int nr_waiting, nr_late, failing_flushes[MAX_DISKS];
static uint64_t order;
static struct log *current;
static uint8_t *memory;
static size_t memory_used;
static uint32_t clock_now;

/* --- Time, memory -------------------------------------------------------- */

uint32_t moment(void)
{
	return __atomic_add_fetch(&clock_now, 1, __ATOMIC_SEQ_CST);
}

uint32_t last_moment(void)
{
	return __atomic_load_n(&clock_now, __ATOMIC_SEQ_CST);
}

uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15ULL + b + 0x632be59bd9b4e019ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint64_t choose(uint64_t n)
{
	order = mix(order, 1);
	return order % n;
}

static uint8_t *keep(size_t size)
{
	uint8_t *p = memory + memory_used;

	if (memory_used + size > MEMORY)
		die("the disks' memory is full");
	memory_used += size;
	return p;
}

size_t memory_mark(void)
{
	return memory_used;
}

void memory_release(size_t mark)
{
	memory_used = mark;
}

void memory_compact(void)
{
	size_t used = 0;
	uint8_t *copy;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < nr_disks; i++)
		used += (size_t)disk_sectors[i] * SECTOR;
	copy = malloc(used);
	if (!copy || nr_waiting || nr_late)
		die("the disks can not be compacted");
	used = 0;
	for (unsigned int i = 0; i < nr_disks; i++) {
		for (uint32_t n = 0; n < disk_sectors[i]; n++) {
			const uint8_t **content = &live.disk[i].content[n];

			if (*content < memory || *content >= memory + MEMORY)
				continue;
			memcpy(copy + used, *content, SECTOR);
			*content = memory + used;
			used += SECTOR;
		}
	}
	memcpy(memory, copy, used);
	memory_used = used;
	free(copy);
	pthread_mutex_unlock(&lock);
}

/* --- States -------------------------------------------------------------- */

void state_init(struct state *s)
{
	for (unsigned int i = 0; i < nr_disks; i++) {
		s->disk[i].content = calloc(disk_sectors[i], sizeof(void *));
		s->disk[i].flags = calloc(disk_sectors[i], 1);
		if (!s->disk[i].content || !s->disk[i].flags)
			die("out of memory");
		for (uint32_t n = 0; n < disk_sectors[i]; n++)
			s->disk[i].content[n] = zeroes;
	}
}

void state_copy(struct state *to, const struct state *from)
{
	for (unsigned int i = 0; i < nr_disks; i++) {
		memcpy(to->disk[i].content, from->disk[i].content,
		       disk_sectors[i] * sizeof(void *));
		memcpy(to->disk[i].flags, from->disk[i].flags, disk_sectors[i]);
		to->disk[i].dead = from->disk[i].dead;
	}
}

void disks_get(struct state *s)
{
	pthread_mutex_lock(&lock);
	state_copy(s, &live);
	pthread_mutex_unlock(&lock);
}

void disks_set(const struct state *s)
{
	pthread_mutex_lock(&lock);
	/* The last answers may still be on their way. */
	while (nr_waiting || nr_late) {
		pthread_mutex_unlock(&lock);
		usleep(20);
		pthread_mutex_lock(&lock);
	}
	state_copy(&live, s);
	memset(failing_flushes, 0, sizeof(failing_flushes));
	pthread_mutex_unlock(&lock);
}

void disk_peek(unsigned int disk, uint32_t sector, const uint8_t **content)
{
	pthread_mutex_lock(&lock);
	*content = live.disk[disk].content[sector];
	pthread_mutex_unlock(&lock);
}

void disk_poke(unsigned int disk, uint32_t sector, uint32_t nr, const uint8_t *data)
{
	uint8_t *copy;

	pthread_mutex_lock(&lock);
	copy = keep((size_t)nr * SECTOR);
	memcpy(copy, data, (size_t)nr * SECTOR);
	for (uint32_t i = 0; i < nr; i++)
		live.disk[disk].content[sector + i] = copy + (size_t)i * SECTOR;
	pthread_mutex_unlock(&lock);
}

/* --- Log ----------------------------------------------------------------- */

void log_begin(struct log *log)
{
	if (!log->base.disk[0].content)
		state_init(&log->base);
	pthread_mutex_lock(&lock);
	log->nr = 0;
	log->nr_faults = 0;
	state_copy(&log->base, &live);
	log->begin = moment();
	log->end = 0;
	current = log;
	pthread_mutex_unlock(&lock);
}

void log_end(void)
{
	pthread_mutex_lock(&lock);
	current->end = moment();
	current = NULL;
	pthread_mutex_unlock(&lock);
}

static void log_request(const struct request *r)
{
	if (!current)
		return;
	if (current->nr == current->size) {
		current->size = current->size ? 2 * current->size : 1024;
		current->requests = realloc(current->requests,
					    current->size * sizeof(*current->requests));
		if (!current->requests)
			die("out of memory");
	}
	current->requests[current->nr++] = *r;
}

static void log_fault(unsigned int disk, uint32_t sector, uint32_t nr, uint8_t flags)
{
	if (!current)
		return;
	if (current->nr_faults == current->size_faults) {
		current->size_faults = current->size_faults ? 2 * current->size_faults : 256;
		current->faults = realloc(current->faults,
					  current->size_faults * sizeof(*current->faults));
		if (!current->faults)
			die("out of memory");
	}
	current->faults[current->nr_faults++] = (struct fault){
		.at = moment(), .disk = disk, .flags = flags, .sector = sector, .nr = nr,
	};
}

/* --- Faults -------------------------------------------------------------- */

static void tell_lost(unsigned int disk, uint32_t sector, lost_fn *lost)
{
	const struct disk_state *d = &live.disk[disk];

	if (lost && !(d->flags[sector] & BAD_READ) &&
	    d->content[sector] != unreadable)
		lost(disk, sector, d->content[sector]);
}

void disk_flag(unsigned int disk, uint32_t sector, uint32_t nr, uint8_t flags, lost_fn *lost)
{
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < nr; i++) {
		if (flags & BAD_READ)
			tell_lost(disk, sector + i, lost);
		live.disk[disk].flags[sector + i] = flags;
	}
	log_fault(disk, sector, nr, flags);
	pthread_mutex_unlock(&lock);
}

/* A decay is an event of the medium: durable at once, and gone with the next write. */
void disk_decay(unsigned int disk, uint32_t sector, lost_fn *lost)
{
	struct request r = { .disk = disk, .kind = DISK_DECAY, .sector = sector, .nr = 1 };

	pthread_mutex_lock(&lock);
	tell_lost(disk, sector, lost);
	live.disk[disk].content[sector] = unreadable;
	r.received = moment();
	r.answered = r.received;
	log_request(&r);
	pthread_mutex_unlock(&lock);
}

void disk_die(unsigned int disk, bool dead, lost_fn *lost)
{
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; dead && i < disk_sectors[disk]; i++)
		tell_lost(disk, i, lost);
	live.disk[disk].dead = dead;
	log_fault(disk, 0, 0, dead);
	pthread_mutex_unlock(&lock);
}

void disk_fail_flushes(unsigned int disk, unsigned int nr)
{
	pthread_mutex_lock(&lock);
	failing_flushes[disk] = nr;
	pthread_mutex_unlock(&lock);
}

void disks_heal(void)
{
	for (unsigned int i = 0; i < nr_disks; i++) {
		disk_fail_flushes(i, 0);
		disk_flag(i, 0, disk_sectors[i], 0, NULL);
		disk_die(i, false, NULL);
	}
}

/* --- Service ------------------------------------------------------------- */

static void receive_all(int fd, void *buf, size_t size)
{
	if (recv(fd, buf, size, MSG_WAITALL) != (ssize_t)size)
		die("a disk's connection broke: %m");
}

static void send_all(int fd, const void *buf, size_t size)
{
	while (size) {
		ssize_t n = send(fd, buf, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("a disk's connection broke: %m");
		buf = (const char *)buf + n;
		size -= n;
	}
}

static uint64_t from_be64(uint64_t x)
{
	return (uint64_t)ntohl(x) << 32 | ntohl(x >> 32);
}

static bool fails(const struct waiting *w)
{
	return w->type == NBD_CMD_FLUSH && failing_flushes[w->request.disk];
}

static void receive(unsigned int disk)
{
	struct nbd_request wire;
	struct waiting *w;
	uint8_t *data = NULL;
	uint64_t from;

	receive_all(sockets[disk], &wire, sizeof(wire));
	if (ntohl(wire.magic) != NBD_REQUEST_MAGIC || nr_waiting == MAX_WAITING)
		die("not a request");
	memcpy(&from, &wire.from, sizeof(from));
	from = from_be64(from);
	pthread_mutex_lock(&lock);
	w = &waiting[nr_waiting];
	*w = (struct waiting){ .type = ntohl(wire.type) & 0xffff };
	w->request.disk = disk;
	w->request.fua = ntohl(wire.type) & NBD_CMD_FLAG_FUA;
	w->request.sector = from / SECTOR;
	w->request.nr = ntohl(wire.len) / SECTOR;
	memcpy(w->cookie, wire.handle, sizeof(w->cookie));
	w->held = !choose(HOLD_ONE_IN) || fails(w) ? choose(16) : 0;
	if (w->type == NBD_CMD_WRITE)
		data = keep(ntohl(wire.len));
	pthread_mutex_unlock(&lock);
	if (data)
		receive_all(sockets[disk], data, ntohl(wire.len));
	w->request.data = data;
	w->request.received = moment();
	nr_waiting++;
}

/* What is discarded may become zeroes, or a part of it, or nothing. */
static void cut_trim(struct request *r)
{
	uint32_t nr = choose(r->nr + 1);

	if (!choose(3))
		nr = r->nr;
	r->sector += choose(r->nr - nr + 1);
	r->nr = nr;
}

/* A write that fails may have done a part of its work. */
static void cut_failed_write(struct request *r, uint32_t bad)
{
	uint32_t before = bad - r->sector;

	r->failed = true;
	r->nr = choose(3) ? choose(before + 1) : 0;
}

static void execute(struct waiting *w)
{
	struct request *r = &w->request;
	struct disk_state *d = &live.disk[r->disk];

	if (d->dead) {
		r->failed = true;
		r->nr = 0;
		return;
	}
	for (uint32_t i = 0; i < r->nr; i++) {
		uint32_t s = r->sector + i;

		if (w->type == NBD_CMD_READ &&
		    (d->flags[s] & BAD_READ || d->content[s] == unreadable))
			r->failed = true;
		if (w->type == NBD_CMD_WRITE && d->flags[s] & BAD_WRITE) {
			cut_failed_write(r, s);
			break;
		}
	}
	if (fails(w)) {
		failing_flushes[r->disk]--;
		r->failed = true;
	}
	if (w->type == NBD_CMD_TRIM)
		cut_trim(r);
	for (uint32_t i = 0; i < r->nr; i++) {
		if (w->type == NBD_CMD_WRITE)
			d->content[r->sector + i] = r->data + (size_t)i * SECTOR;
		else if (w->type == NBD_CMD_TRIM)
			d->content[r->sector + i] = zeroes;
	}
}

static void answer(const struct waiting *w)
{
	const struct request *r = &w->request;
	struct nbd_reply reply = { .magic = htonl(NBD_REPLY_MAGIC) };
	static uint8_t buf[4 << 20];
	size_t size = 0;

	reply.error = htonl(r->failed ? EIO : 0);
	memcpy(reply.handle, w->cookie, sizeof(reply.handle));
	if (w->type == NBD_CMD_READ && !r->failed) {
		size = (size_t)r->nr * SECTOR;
		if (size > sizeof(buf))
			die("too large a read");
		for (uint32_t i = 0; i < r->nr; i++)
			memcpy(buf + (size_t)i * SECTOR,
			       live.disk[r->disk].content[r->sector + i], SECTOR);
	}
	send_all(sockets[r->disk], &reply, sizeof(reply));
	send_all(sockets[r->disk], buf, size);
}

static void serve_one(void)
{
	unsigned int i = choose(nr_waiting), tries;
	struct waiting w;
	bool is_late;

	for (tries = 0; tries < nr_waiting && waiting[i].held; tries++) {
		waiting[i].held--;
		i = (i + 1) % nr_waiting;
	}
	pthread_mutex_lock(&lock);
	w = waiting[i];
	execute(&w);
	/* What the others still wait for keeps its place. */
	memmove(&waiting[i], &waiting[i + 1], (nr_waiting - i - 1) * sizeof(w));
	w.request.answered = moment();
	w.request.kind = w.type == NBD_CMD_WRITE ? DISK_WRITE :
			 w.type == NBD_CMD_TRIM ? DISK_TRIM : DISK_FLUSH;
	if (w.type != NBD_CMD_READ)
		log_request(&w.request);
	/* Answers come in another order than what they answer was done. */
	is_late = w.type == NBD_CMD_FLUSH && nr_late < MAX_WAITING &&
		  (w.request.failed ? choose(FAILED_LATE_OF) : !choose(LATE_ONE_IN));
	if (is_late) {
		w.held = 1 + choose(32);
		late[nr_late++] = w;
	}
	pthread_mutex_unlock(&lock);
	if (!is_late)
		answer(&w);
	pthread_mutex_lock(&lock);
	nr_waiting--;
	pthread_mutex_unlock(&lock);
}

/* Those whose time it is. */
static void answer_late(void)
{
	for (unsigned int i = 0; i < nr_late;) {
		if (--late[i].held) {
			i++;
			continue;
		}
		answer(&late[i]);
		pthread_mutex_lock(&lock);
		late[i] = late[--nr_late];
		pthread_mutex_unlock(&lock);
	}
}

static void *serve(void *arg)
{
	struct pollfd fds[MAX_DISKS];

	(void)arg;
	for (;;) {
		int ready;

		/* All that was sent is seen before anything else is acknowledged. */
		do {
			for (unsigned int i = 0; i < nr_disks; i++)
				fds[i] = (struct pollfd){ .fd = sockets[i], .events = POLLIN };
			ready = poll(fds, nr_disks, nr_waiting || nr_late ? 0 : -1);
			for (unsigned int i = 0; i < nr_disks && ready > 0; i++)
				if (fds[i].revents)
					receive(i);
		} while (ready > 0);
		/* Sometimes wait whether others come; disks stall, too. */
		if (nr_waiting && !choose(2000))
			usleep(choose(150000));
		else if ((nr_waiting || nr_late) && !choose(4))
			usleep(choose(60));
		else if (nr_waiting)
			serve_one();
		answer_late();
	}
	return NULL;
}

static void *connection(void *arg)
{
	ioctl((int)(intptr_t)arg, NBD_DO_IT);
	die("a disk's connection ended: %m");
}

/* Some do not know FUA, as many with SATA: the kernel sends a flush behind the write. */
static void connect_disk(unsigned int i, bool fua)
{
	unsigned long flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_TRIM |
			      (fua ? NBD_FLAG_SEND_FUA : 0);
	char path[64];
	pthread_t thread;
	int pair[2], fd;

	snprintf(path, sizeof(path), "/dev/nbd%u", i);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("%s: %m", path);
	if (ioctl(fd, NBD_SET_BLKSIZE, 512ul) ||
	    ioctl(fd, NBD_SET_SIZE_BLOCKS, (unsigned long)disk_sectors[i]) ||
	    ioctl(fd, NBD_SET_FLAGS, flags) || ioctl(fd, NBD_SET_SOCK, pair[0]))
		die("%s: %m", path);
	sockets[i] = pair[1];
	if (pthread_create(&thread, NULL, connection, (void *)(intptr_t)fd))
		die("thread");
}

void disks_seed(uint64_t seed)
{
	pthread_mutex_lock(&lock);
	order = seed;
	pthread_mutex_unlock(&lock);
}

void disks_start(unsigned int nr, const uint32_t *sectors, uint64_t seed)
{
	pthread_t thread;

	nr_disks = nr;
	memcpy(disk_sectors, sectors, nr * sizeof(*sectors));
	order = seed;
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		die("out of memory");
	state_init(&live);
	for (unsigned int i = 0; i < nr; i++)
		connect_disk(i, mix(seed, i) & 1);
	if (pthread_create(&thread, NULL, serve, NULL))
		die("thread");
}
