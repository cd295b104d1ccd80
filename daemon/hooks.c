// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * People's programs: every executable in the hook folder is run for each alert, one after
 * another in the order of their names, with the alert's fields in the environment. Each
 * has its time and is killed after it, with all its children. It happens in a lane of
 * its own, so that nothing else waits for them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"

#define ALERTS_WAITING	64		/* more are not handed to hooks, and that is logged */
#define POLL_MS		200

struct hooks {
	unsigned int waiting;
	uint64_t skipped;
};

struct hook_job {
	char directory[DMREMAP_PATH_SIZE];
	uint64_t timeout;		/* seconds */
	char **environment;
};

static void free_strings(char **strings)
{
	size_t i;

	for (i = 0; strings && strings[i]; i++)
		free(strings[i]);
	free(strings);
}

static void append(struct dmremap_error *err, const char *name, const char *what)
{
	size_t used = strlen(err->text);

	snprintf(err->text + used, sizeof(err->text) - used, "%sThe hook %s %s.",
		 used ? " " : "", name, what);
}

static int spawn(const char *path, char **environment, pid_t *pid)
{
	char *const arguments[] = { (char *)path, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int ret;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
				 POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	ret = posix_spawn(pid, path, &files, &attributes, arguments, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return -ret;
}

static uint64_t monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* Until it ends or its time is over: then it and what it started are killed. */
static int wait_for(struct worker *worker, pid_t pid, uint64_t timeout, siginfo_t *info)
{
	uint64_t end = monotonic() + timeout * 1000;
	struct pollfd fd = { .events = POLLIN };
	bool over = false;

	fd.fd = syscall(SYS_pidfd_open, pid, 0);
	while (!over) {
		info->si_pid = 0;
		if (waitid(P_PID, pid, info, WEXITED | WNOHANG | WNOWAIT) < 0 || info->si_pid)
			break;
		over = monotonic() >= end || worker_stopping(worker);
		if (!over)
			poll(&fd, fd.fd >= 0, POLL_MS);
	}
	/* Also those that it left behind. Not reaped yet: its group can not be another's. */
	kill(-pid, SIGKILL);
	while (waitid(P_PID, pid, info, WEXITED) < 0 && errno == EINTR)
		;
	if (fd.fd >= 0)
		close(fd.fd);
	return over ? -ETIMEDOUT : 0;
}

static int run_one(struct worker *worker, struct hook_job *job, const char *name,
		   struct dmremap_error *err)
{
	char path[2 * DMREMAP_PATH_SIZE], text[80];
	struct stat st;
	siginfo_t info;
	pid_t pid;
	int ret;

	snprintf(path, sizeof(path), "%s/%s", job->directory, name);
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return 0;
	ret = spawn(path, job->environment, &pid);
	if (ret < 0) {
		snprintf(text, sizeof(text), "could not be run: %s", strerror(-ret));
	} else {
		ret = wait_for(worker, pid, job->timeout, &info);
		if (ret < 0)
			snprintf(text, sizeof(text), "did not end within %llu s and was killed",
				 (unsigned long long)job->timeout);
		else if (info.si_code != CLD_EXITED)
			snprintf(text, sizeof(text), "was ended by signal %d", info.si_status);
		else if (info.si_status)
			snprintf(text, sizeof(text), "ended with status %d", info.si_status);
		else
			return 0;
	}
	append(err, name, text);
	return -ECHILD;
}

static int visible(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && entry->d_name[length - 1] != '~';
}

static int run_job(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct hook_job *job = arg;
	struct dirent **list = NULL;
	int i, n, ret = 0;

	err->text[0] = '\0';
	n = scandir(job->directory, &list, visible, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : (append(err, job->directory, strerror(errno)),
					      -errno);
	for (i = 0; i < n; i++) {
		if (!worker_stopping(worker) && run_one(worker, job, list[i]->d_name, err) < 0)
			ret = -ECHILD;
		free(list[i]);
	}
	free(list);
	return ret;
}

static void job_free(struct hook_job *job)
{
	free_strings(job->environment);
	free(job);
}

static void run_done(struct daemon *daemon, void *arg, int result,
		     const struct dmremap_error *err)
{
	struct hooks *hooks = daemon->hooks;

	job_free(arg);
	if (!hooks)
		return;
	hooks->waiting--;
	if (!hooks->waiting && hooks->skipped) {
		log_warning("%llu alerts were not handed to hooks, since those before took too long.",
			    (unsigned long long)hooks->skipped);
		hooks->skipped = 0;
	}
	if (result < 0 && result != -ECANCELED)
		alert_tell(daemon, &(struct alert){ .kind = ALERT_HOOK_FAILED,
						    .detail = err->text });
}

static char **copy_environment(const char *const *environment)
{
	static const char path[] =
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char **copy;
	size_t n, i;

	for (n = 0; environment[n]; n++)
		;
	copy = calloc(n + 2, sizeof(*copy));
	if (!copy)
		return NULL;
	copy[0] = strdup(path);
	for (i = 0; i < n && copy[i]; i++)
		copy[i + 1] = strdup(environment[i]);
	if (!copy[i]) {
		free_strings(copy);
		return NULL;
	}
	return copy;
}

int hooks_start(struct daemon *daemon)
{
	daemon->hooks = calloc(1, sizeof(*daemon->hooks));
	return daemon->hooks ? 0 : -ENOMEM;
}

void hooks_run(struct daemon *daemon, const char *const *environment)
{
	struct hooks *hooks = daemon->hooks;
	struct hook_job *job;

	if (!hooks)
		return;
	if (hooks->waiting >= ALERTS_WAITING) {
		if (!hooks->skipped++)
			log_warning("Alerts are not handed to hooks at the moment, since one that runs takes too long.");
		return;
	}
	job = calloc(1, sizeof(*job));
	if (!job)
		return;
	snprintf(job->directory, sizeof(job->directory), "%s", daemon->config->hook_directory);
	job->timeout = daemon->config->hook_timeout;
	job->environment = copy_environment(environment);
	if (!job->environment ||
	    worker_submit(daemon, WORKER_HOOKS, run_job, job, run_done) < 0) {
		hooks->skipped++;
		job_free(job);
		return;
	}
	hooks->waiting++;
}

void hooks_stop(struct daemon *daemon)
{
	free(daemon->hooks);
	daemon->hooks = NULL;
}
