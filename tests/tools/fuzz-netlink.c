// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sends random and mutated messages to the netlink family for so many seconds.
 * Most are nearly right: real commands, attributes of the spec with plausible and
 * with strange values, and then a few bytes, lengths or flags changed. Answers are
 * read and counted by errno; a socket that stops answering is an error. What the
 * messages do if they are taken must harm no data, which the caller checks.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"
#include "dm-remap-netlink.h"

#define MAX_MESSAGE	8192
#define ANSWER_SECONDS	30
#define NR_ERRNOS	135

static const char usage[] =
	"usage: fuzz-netlink SEED SECONDS [NAME [UUID]]\n"
	"NAME and UUID are of a set that the messages are about. The same seed sends the\n"
	"same messages. Prints how many were answered, by errno.\n";

static const char *set_name = "set", *set_uuid = "";
static unsigned char buf[MAX_MESSAGE + 64];
static size_t used;
static unsigned long long answers[NR_ERRNOS], sent, unsent, data_messages;

static const struct spec {
	unsigned char first_nested;	/* 0: not a nest */
	char type;			/* s string, 4, 8, f flag, n nest */
} attrs[DMR_A_MAX + 1] = {
	[DMR_A_NAME] = { 0, 's' },
	[DMR_A_UUID] = { 0, 's' },
	[DMR_A_FIRST] = { 0, '8' },
	[DMR_A_COUNT] = { 0, '8' },
	[DMR_A_SLOW_ONLY] = { 0, 'f' },
	[DMR_A_SPARE] = { 0, '4' },
	[DMR_A_SPARE_MAJOR] = { 0, '4' },
	[DMR_A_SPARE_MINOR] = { 0, '4' },
	[DMR_A_POLICY] = { 1, 'n' },
};

static const struct {
	unsigned char cmd;
	unsigned char attrs[4];
	unsigned char dumps;		/* so many of eight */
} requests[] = {
	{ DMR_CMD_DEVICE_GET, { 0 }, 4 },
	{ DMR_CMD_SPARE_GET, { 0 }, 8 },
	{ DMR_CMD_MAP_GET, { DMR_A_FIRST, DMR_A_COUNT }, 8 },
	{ DMR_CMD_UNREADABLE_GET, { DMR_A_FIRST, DMR_A_COUNT }, 8 },
	{ DMR_CMD_STATS_GET, { 0 }, 8 },
	{ DMR_CMD_POLICY_GET, { 0 }, 4 },
	{ DMR_CMD_POLICY_SET, { DMR_A_POLICY }, 0 },
	{ DMR_CMD_RELOCATE, { DMR_A_FIRST, DMR_A_COUNT, DMR_A_SLOW_ONLY }, 0 },
	{ DMR_CMD_RELEASE, { DMR_A_FIRST, DMR_A_COUNT }, 0 },
	{ DMR_CMD_SCRUB_GET, { 0 }, 4 },
	{ DMR_CMD_SCRUB_START, { DMR_A_FIRST, DMR_A_COUNT }, 0 },
	{ DMR_CMD_SCRUB_PAUSE, { 0 }, 0 },
	{ DMR_CMD_SCRUB_RESUME, { 0 }, 0 },
	{ DMR_CMD_SCRUB_CANCEL, { 0 }, 0 },
	{ DMR_CMD_SPARE_ADD, { DMR_A_SPARE_MAJOR, DMR_A_SPARE_MINOR }, 0 },
	{ DMR_CMD_SPARE_RETIRE, { DMR_A_SPARE }, 0 },
};

/* One in so many. */
static bool chance(unsigned int n)
{
	return random_below(n) == 0;
}

/* Small, round, at a border, or anything. */
static uint64_t number(void)
{
	switch (random_below(8)) {
	case 0: return random_u64();
	case 1: return UINT64_MAX - random_below(3);
	case 2: return UINT32_MAX - random_below(3);
	case 3: return 1ULL << random_below(64);
	case 4: return random_below(8192);
	default: return random_below(40);
	}
}

static void put(const void *data, size_t size)
{
	if (used + size > MAX_MESSAGE)
		return;
	memcpy(buf + used, data, size);
	used += size;
	while (used % NLA_ALIGNTO)
		buf[used++] = 0;
}

static size_t begin(unsigned int type)
{
	struct nlattr head = { .nla_type = type };
	size_t at = used;

	put(&head, sizeof(head));
	return at;
}

static void end(size_t at, size_t payload)
{
	struct nlattr *head = (struct nlattr *)(buf + at);

	head->nla_len = sizeof(*head) + payload;
}

static void put_number(unsigned int type, unsigned int size, uint64_t value)
{
	size_t at = begin(type);

	put(&value, size);
	end(at, size);
}

static void put_text(unsigned int type, const char *text)
{
	size_t at = begin(type), length = strlen(text) + 1;

	put(text, length);
	end(at, length);
}

static void put_bytes(unsigned int type)
{
	size_t length = random_below(chance(8) ? 600 : 24), at = begin(type);
	unsigned char bytes[600];

	for (size_t i = 0; i < length; i++)
		bytes[i] = random_u64();
	put(bytes, length);
	end(at, length);
}

/* Values that are mostly allowed, so that what is taken is tried too. */
static void put_policy(void)
{
	static const uint32_t most[DMR_A_POLICY_MAX + 1] = {
		[DMR_A_POLICY_HEAL] = 1, [DMR_A_POLICY_UNREADABLE] = 1,
		[DMR_A_POLICY_IOERR] = 1, [DMR_A_POLICY_RETRIES] = 10,
		[DMR_A_POLICY_SLOW_MS] = 600000, [DMR_A_POLICY_SAMPLE] = 65536,
		[DMR_A_POLICY_BREAKER_STREAK] = 4096, [DMR_A_POLICY_BREAKER_MS] = 600000,
		[DMR_A_POLICY_SCRUB_RATE] = 4000000,
		[DMR_A_POLICY_SPARE_LOW] = 100, [DMR_A_POLICY_LIFETIME] = 31536000,
	};
	size_t at = begin(DMR_A_POLICY | (chance(20) ? 0 : NLA_F_NESTED));
	unsigned int nr = random_below(6);

	while (nr--) {
		unsigned int type = 1 + random_below(DMR_A_POLICY_MAX + (chance(20) ? 4 : 0));

		if (type == DMR_A_POLICY_VERSION)
			put_number(type, 8, chance(4) ? number() : 0);
		else if (type == DMR_A_POLICY_RELOCATE_RATE)
			/* Slower, a request may rightly take for ever. */
			put_number(type, 4, chance(2) ? 0 : 5000 + random_below(1 << 30));
		else if (type > DMR_A_POLICY_MAX || chance(20))
			put_bytes(type);
		else
			put_number(type, 4, chance(8) ? number() : most[type] ?
				   random_below((uint64_t)most[type] + 1) : 0);
	}
	end(at, used - at - sizeof(struct nlattr));
}

static void put_attr(unsigned int type)
{
	static char text[300];

	if (chance(30)) {
		put_bytes(type | (chance(4) ? NLA_F_NESTED : 0));
		return;
	}
	switch (type <= DMR_A_MAX ? attrs[type].type : 0) {
	case 's':
		if (chance(12)) {
			memset(text, 'a' + random_below(26), sizeof(text));
			text[random_below(sizeof(text))] = 0;
			put_text(type, text);
		} else {
			put_text(type, type == DMR_A_NAME ? set_name : set_uuid);
		}
		break;
	case '4': put_number(type, 4, number()); break;
	case '8': put_number(type, 8, number()); break;
	case 'f': put_number(type, 0, 0); break;
	case 'n': put_policy(); break;
	default: put_bytes(type); break;
	}
}

static void mutate(size_t from)
{
	unsigned int nr = 1 + random_below(4);

	while (nr-- && used > from) {
		size_t at = from + random_below(used - from);

		switch (random_below(5)) {
		case 0: buf[at] ^= 1 << random_below(8); break;
		case 1: buf[at] = random_u64(); break;
		case 2: buf[at] = chance(2) ? 0 : 0xff; break;
		case 3:	/* cut off */
			if (at > sizeof(struct nlmsghdr))
				used = at;
			break;
		case 4:	/* double a part */
			if (used + (used - at) < MAX_MESSAGE) {
				memcpy(buf + used, buf + at, used - at);
				used += used - at;
			}
			break;
		}
	}
}

static void make_message(unsigned int family, uint32_t seq)
{
	unsigned int r = random_below(sizeof(requests) / sizeof(requests[0])), i;
	struct genlmsghdr head = { .cmd = requests[r].cmd, .version = 1 };
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

	if (chance(30))
		head.cmd = random_u64();
	if (chance(30))
		head.version = random_u64();
	if (chance(30))
		head.reserved = random_u64();
	memset(nlh, 0, sizeof(*nlh));
	used = sizeof(*nlh);
	put(&head, sizeof(head));
	if (!chance(10))
		put_attr(DMR_A_NAME);
	if (*set_uuid && chance(8))
		put_attr(DMR_A_UUID);
	for (i = 0; i < sizeof(requests[r].attrs) && requests[r].attrs[i]; i++)
		if (!chance(10))
			put_attr(requests[r].attrs[i]);
	while (chance(10))
		put_attr(random_below(DMR_A_MAX + 10));
	if (chance(3))
		mutate(NLMSG_HDRLEN + (chance(4) ? 0 : GENL_HDRLEN));
	nlh->nlmsg_len = used;
	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if ((random_below(8) < requests[r].dumps) != chance(20))
		nlh->nlmsg_flags |= NLM_F_DUMP;
	if (chance(40))
		nlh->nlmsg_flags ^= random_u64() & 0xff00;
	nlh->nlmsg_seq = seq;
}

static int open_socket(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), one = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("netlink socket: %s", strerror(errno));
	if (chance(2))
		setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	if (chance(2))
		setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	if (chance(2))
		setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return fd;
}

static unsigned int find_family(void)
{
	unsigned char answer[16384];
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	struct genlmsghdr head = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	int fd = open_socket();
	ssize_t size;

	memset(nlh, 0, sizeof(*nlh));
	used = sizeof(*nlh);
	put(&head, sizeof(head));
	put_text(CTRL_ATTR_FAMILY_NAME, DMR_GENL_NAME);
	nlh->nlmsg_len = used;
	nlh->nlmsg_type = GENL_ID_CTRL;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	if (send(fd, buf, used, 0) < 0 || (size = recv(fd, answer, sizeof(answer), 0)) < 0)
		die("no answer about the family: %s", strerror(errno));
	close(fd);
	nlh = (struct nlmsghdr *)answer;
	for (size_t at = NLMSG_HDRLEN + GENL_HDRLEN; at + sizeof(struct nlattr) <= (size_t)size;) {
		struct nlattr *a = (struct nlattr *)(answer + at);

		if (nlh->nlmsg_type == GENL_ID_CTRL && a->nla_type == CTRL_ATTR_FAMILY_ID)
			return *(uint16_t *)(a + 1);
		at += NLA_ALIGN(a->nla_len ? a->nla_len : 4);
	}
	die("the kernel knows no family " DMR_GENL_NAME);
}

/* True when the request @seq has been answered to its end. */
static bool take(int fd, uint32_t seq)
{
	static unsigned char answer[65536];
	ssize_t size = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	struct nlmsghdr *nlh = (struct nlmsghdr *)answer;

	if (size < 0 && errno == ENOBUFS)
		return true;
	for (; size > 0 && NLMSG_OK(nlh, size); nlh = NLMSG_NEXT(nlh, size)) {
		int code;

		if (nlh->nlmsg_type != NLMSG_ERROR && nlh->nlmsg_type != NLMSG_DONE) {
			data_messages++;
			continue;
		}
		code = nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(int)) ? -*(int *)NLMSG_DATA(nlh) : 0;
		if (code < 0 || code >= NR_ERRNOS)
			die("message %u: answered with the error %d", seq, -code);
		answers[code]++;
		if (nlh->nlmsg_seq == seq)
			return true;
	}
	return false;
}

static void wait_for_answer(int fd, uint32_t seq)
{
	double until = now() + ANSWER_SECONDS;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (now() < until) {
		if (poll(&p, 1, 1000) > 0 && take(fd, seq))
			return;
	}
	die("message %u was not answered for %d seconds", seq, ANSWER_SECONDS);
}

int main(int argc, char **argv)
{
	unsigned int family;
	uint32_t seq = 0;
	double until;
	int fd = -1;

	if (argc < 3 || argc > 5) {
		fputs(usage, stderr);
		return 2;
	}
	random_state = strtoull(argv[1], NULL, 0);
	if (argc > 3)
		set_name = argv[3];
	if (argc > 4)
		set_uuid = argv[4];
	printf("seed %s\n", argv[1]);
	fflush(stdout);
	family = find_family();
	until = now() + strtod(argv[2], NULL);
	while (now() < until) {
		if (fd < 0)
			fd = open_socket();
		make_message(family, ++seq);
		if (send(fd, buf, used, 0) < 0) {
			unsent++;
			continue;
		}
		sent++;
		/* Some are left alone with their answers. */
		if (chance(50)) {
			close(fd);
			fd = -1;
		} else {
			wait_for_answer(fd, seq);
		}
	}
	printf("sent %llu, refused to send %llu, messages of data %llu\n", sent, unsent,
	       data_messages);
	for (unsigned int i = 0; i < NR_ERRNOS; i++)
		if (answers[i])
			printf("%s %llu\n", i ? strerrorname_np(i) : "success", answers[i]);
	return 0;
}
