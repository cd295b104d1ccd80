/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads for what waits: disks, the module, programs' files. Each lane is a queue with
 * one thread. What is done comes back to the loop through an eventfd, in order.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"

/* All of a stack counts when memory is locked. libblkid and SQLite want some of it. */
#define STACK_SIZE	(256u << 10)
#define MOVE_STACK_SIZE	(128u << 10)

struct job {
	STAILQ_ENTRY(job) link;
	worker_fn fn;
	worker_done_fn done;
	void *arg;
	int result;
	struct dmremap_error err;
};

STAILQ_HEAD(jobs, job);

struct worker {
	struct worker_pool *pool;
	enum worker_lane lane;
	pthread_t thread;
	bool started;
	pthread_cond_t wake;
	struct jobs queue;		/* pool->lock, as all below */
	unsigned int nr_queued;
	bool ended;			/* the thread does nothing any more */
	struct dmremap_nl *nl;		/* the thread's own */
};

struct worker_pool {
	struct daemon *daemon;
	pthread_mutex_t lock;
	pthread_cond_t idle;		/* a thread has ended */
	struct jobs finished;
	atomic_bool stopping;
	int event_fd;
	sd_event_source *source;
	struct worker workers[NR_WORKER_LANES];
};

/* --- In the threads ------------------------------------------------------- */

static void wake_loop(struct worker_pool *pool)
{
	uint64_t one = 1;

	while (write(pool->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* When the daemon ends, only what must reach the disk is still done. */
static bool still_does(const struct worker *w)
{
	return !atomic_load(&w->pool->stopping) || w->lane == WORKER_STORAGE;
}

static void *worker_thread(void *arg)
{
	struct worker *w = arg;
	struct worker_pool *pool = w->pool;
	struct job *job;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		job = still_does(w) ? STAILQ_FIRST(&w->queue) : NULL;
		if (!job) {
			if (atomic_load(&pool->stopping))
				break;
			pthread_cond_wait(&w->wake, &pool->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&w->queue, link);
		w->nr_queued--;
		pthread_mutex_unlock(&pool->lock);
		job->result = job->fn(w, job->arg, &job->err);
		pthread_mutex_lock(&pool->lock);
		STAILQ_INSERT_TAIL(&pool->finished, job, link);
		wake_loop(pool);
	}
	w->ended = true;
	pthread_cond_signal(&pool->idle);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

bool worker_stopping(const struct worker *worker)
{
	return atomic_load(&worker->pool->stopping);
}

int worker_nl(struct worker *worker, struct dmremap_nl **nl, struct dmremap_error *err)
{
	int r = worker->nl ? 0 : dmremap_nl_open(&worker->nl, err);

	if (r < 0) {
		worker->nl = NULL;
		return r;
	}
	*nl = worker->nl;
	return 0;
}

void worker_nl_drop(struct worker *worker)
{
	dmremap_nl_free(worker->nl);
	worker->nl = NULL;
}

/* --- In the loop ---------------------------------------------------------- */

static void finish(struct worker_pool *pool, struct job *job)
{
	job->done(pool->daemon, job->arg, job->result, &job->err);
	free(job);
}

static void finish_all(struct worker_pool *pool)
{
	struct jobs jobs = STAILQ_HEAD_INITIALIZER(jobs);
	struct job *job;

	pthread_mutex_lock(&pool->lock);
	STAILQ_CONCAT(&jobs, &pool->finished);
	pthread_mutex_unlock(&pool->lock);
	while ((job = STAILQ_FIRST(&jobs))) {
		STAILQ_REMOVE_HEAD(&jobs, link);
		finish(pool, job);
	}
}

static int jobs_finished(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	finish_all(arg);
	return 0;
}

static int start_thread(struct worker *w)
{
	bool moves = w->lane >= WORKER_MOVE;
	sigset_t all, old;
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r)
		return -r;
	r = pthread_attr_setstacksize(&attr, moves ? MOVE_STACK_SIZE : STACK_SIZE);
	if (!r) {
		/* Signals are the loop's. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		r = pthread_create(&w->thread, &attr, worker_thread, w);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	pthread_attr_destroy(&attr);
	w->started = !r;
	return -r;
}

int worker_init(struct daemon *daemon)
{
	struct worker_pool *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t attr;
	unsigned int i;
	int r;

	if (!pool)
		return -ENOMEM;
	/* Threads that mostly sleep need no arenas of their own. */
	mallopt(M_ARENA_MAX, 1);
	pool->daemon = daemon;
	STAILQ_INIT(&pool->finished);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->idle, &attr);
	for (i = 0; i < NR_WORKER_LANES; i++) {
		struct worker *w = &pool->workers[i];

		w->pool = pool;
		w->lane = i;
		STAILQ_INIT(&w->queue);
		pthread_cond_init(&w->wake, &attr);
	}
	pthread_condattr_destroy(&attr);
	pool->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = pool->event_fd < 0 ? -errno :
	    sd_event_add_io(daemon->event, &pool->source, pool->event_fd, EPOLLIN,
			    jobs_finished, pool);
	if (r < 0) {
		if (pool->event_fd >= 0)
			close(pool->event_fd);
		free(pool);
		return r;
	}
	daemon->workers = pool;
	return 0;
}

int worker_submit(struct daemon *daemon, enum worker_lane lane, worker_fn fn, void *arg,
		  worker_done_fn done)
{
	struct worker_pool *pool = daemon->workers;
	struct worker *w = &pool->workers[lane];
	struct job *job;
	int r = 0;

	if (atomic_load(&pool->stopping) && lane != WORKER_STORAGE)
		return -ECANCELED;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->fn = fn;
	job->arg = arg;
	job->done = done;
	pthread_mutex_lock(&pool->lock);
	if (w->nr_queued >= WORKER_QUEUE || w->ended)
		r = w->ended ? -ECANCELED : -ENOBUFS;
	else if (!w->started)
		r = start_thread(w);
	if (!r) {
		STAILQ_INSERT_TAIL(&w->queue, job, link);
		w->nr_queued++;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&pool->lock);
	if (r < 0)
		free(job);
	return r;
}

/* What was never begun. */
static void cancel_queued(struct worker_pool *pool, struct worker *w)
{
	struct jobs jobs = STAILQ_HEAD_INITIALIZER(jobs);
	struct job *job;

	pthread_mutex_lock(&pool->lock);
	STAILQ_CONCAT(&jobs, &w->queue);
	w->nr_queued = 0;
	pthread_mutex_unlock(&pool->lock);
	while ((job = STAILQ_FIRST(&jobs))) {
		STAILQ_REMOVE_HEAD(&jobs, link);
		job->result = -ECANCELED;
		snprintf(job->err.text, sizeof(job->err.text), "The service is being stopped.");
		finish(pool, job);
	}
}

/* True if the thread has ended by then. */
static bool wait_for(struct worker_pool *pool, struct worker *w, const struct timespec *end)
{
	bool ended;

	pthread_mutex_lock(&pool->lock);
	while (!w->ended && pthread_cond_timedwait(&pool->idle, &pool->lock, end) != ETIMEDOUT)
		;
	ended = w->ended;
	pthread_mutex_unlock(&pool->lock);
	return ended;
}

void worker_stop(struct daemon *daemon, unsigned int timeout_ms)
{
	struct worker_pool *pool = daemon->workers;
	bool all = true;
	struct timespec end;
	unsigned int i;

	if (!pool)
		return;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += timeout_ms / 1000;
	end.tv_nsec += timeout_ms % 1000 * 1000000l;
	if (end.tv_nsec >= (long)NSEC_PER_SEC) {
		end.tv_nsec -= NSEC_PER_SEC;
		end.tv_sec++;
	}
	pthread_mutex_lock(&pool->lock);
	atomic_store(&pool->stopping, true);
	for (i = 0; i < NR_WORKER_LANES; i++)
		pthread_cond_signal(&pool->workers[i].wake);
	pthread_mutex_unlock(&pool->lock);
	for (i = 0; i < NR_WORKER_LANES; i++) {
		struct worker *w = &pool->workers[i];

		if (w->started && wait_for(pool, w, &end)) {
			pthread_join(w->thread, NULL);
			worker_nl_drop(w);
		} else if (w->started) {
			pthread_detach(w->thread);
			all = false;
		}
		finish_all(pool);
		cancel_queued(pool, w);
	}
	sd_event_source_unref(pool->source);
	/* A thread that was left behind may still look at the pool. */
	if (!all)
		return;
	for (i = 0; i < NR_WORKER_LANES; i++)
		pthread_cond_destroy(&pool->workers[i].wake);
	pthread_cond_destroy(&pool->idle);
	pthread_mutex_destroy(&pool->lock);
	close(pool->event_fd);
	free(pool);
	daemon->workers = NULL;
}
