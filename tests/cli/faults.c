// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loaded before a program's libraries (LD_PRELOAD): one call of a kind fails. FAULT is
 * KIND:N for the Nth call of that kind since the start; the kinds are those of names[]
 * below. FAULT_REPORT is a file that gets, at the end, a line "KIND CALLS" for each kind. Both
 * are for this program alone, not for what it starts.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/fcntl.h>	/* fcntl.h declares open() otherwise */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum kind { ALLOC, OPEN, READ, WRITE, SYNC, RENAME, KINDS };

static const char *const names[KINDS] = { "alloc", "open", "read", "write", "sync", "rename" };
static atomic_uint calls[KINDS];
static int wanted = -1;
static unsigned int wanted_call;
static char report[PATH_MAX];
static bool over;

/* What glibc calls its own functions, behind the names that are replaced here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nr, size_t size);
void *__libc_realloc(void *old, size_t size);

__attribute__((constructor)) static void begin(void)
{
	const char *fault = getenv("FAULT"), *colon = fault ? strchr(fault, ':') : NULL;
	const char *path = getenv("FAULT_REPORT");
	int i;

	if (path)
		snprintf(report, sizeof(report), "%s", path);

	for (i = 0; i < KINDS; i++) {
		if (colon && strlen(names[i]) == (size_t)(colon - fault) &&
		    !strncmp(fault, names[i], colon - fault)) {
			wanted_call = strtoul(colon + 1, NULL, 10);
			wanted = i;
		}
	}
	unsetenv("FAULT");
	unsetenv("FAULT_REPORT");
	for (i = 0; i < KINDS; i++)
		calls[i] = 0;
}

__attribute__((destructor)) static void end(void)
{
	int fd = *report ? syscall(SYS_openat, AT_FDCWD, report, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
	int i;

	for (i = 0; fd >= 0 && i < KINDS; i++)
		dprintf(fd, "%s %u\n", names[i], calls[i]);
}

/* For a debugger: who called what fails? */
__attribute__((noinline)) bool fault_hit(int error)
{
	errno = error;
	return true;
}

static bool fails(enum kind kind, int error)
{
	return !over && atomic_fetch_add(&calls[kind], 1) + 1 == wanted_call &&
	       (int)kind == wanted && fault_hit(error);
}

/*
 * What gcov writes when a program ends, beginning with a look at its variables, is not of
 * the program: no call counts from then on.
 */
char *getenv(const char *name)
{
	size_t length = strlen(name);
	char **at;

	over |= !strncmp(name, "GCOV_", 5);
	for (at = environ; at && *at; at++)
		if (!strncmp(*at, name, length) && (*at)[length] == '=')
			return *at + length + 1;
	return NULL;
}

/*
 * libsmartcols, and json-c while it lets a text grow, go on without what they have no memory
 * for, and nobody can tell: their calls do not count.
 */
static bool is_silent(const void *caller, bool grows)
{
	Dl_info of;

	return dladdr(caller, &of) && of.dli_fname &&
	       (strstr(of.dli_fname, "libsmartcols") ||
		(grows && strstr(of.dli_fname, "libjson-c")));
}

static bool no_memory(const void *caller, bool grows)
{
	static _Thread_local bool asking;
	bool silent;

	/* dladdr() may allocate. */
	if (asking)
		return false;
	asking = true;
	silent = is_silent(caller, grows);
	asking = false;
	return !silent && fails(ALLOC, ENOMEM);
}

void *malloc(size_t size)
{
	return no_memory(__builtin_return_address(0), false) ? NULL : __libc_malloc(size);
}

void *calloc(size_t nr, size_t size)
{
	return no_memory(__builtin_return_address(0), false) ? NULL : __libc_calloc(nr, size);
}

void *realloc(void *old, size_t size)
{
	return no_memory(__builtin_return_address(0), true) ? NULL : __libc_realloc(old, size);
}

/* Who gives no mode creates nothing: then the kernel does not look at it. */
int openat64(int dir, const char *path, int flags, mode_t mode)
{
	return fails(OPEN, EMFILE) ? -1 : syscall(SYS_openat, dir, path, flags, mode);
}

int open64(const char *path, int flags, mode_t mode)
{
	return openat64(AT_FDCWD, path, flags, mode);
}

/* Signals, timers and events that a loop waits for have no type of file, and never fail. */
static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || st.st_mode & S_IFMT;
}

ssize_t read(int fd, void *buf, size_t size)
{
	return is_file(fd) && fails(READ, EIO) ? -1 : syscall(SYS_read, fd, buf, size);
}

ssize_t pread64(int fd, void *buf, size_t size, off64_t at)
{
	return fails(READ, EIO) ? -1 : syscall(SYS_pread64, fd, buf, size, at);
}

/* Messages are let through. */
ssize_t write(int fd, const void *buf, size_t size)
{
	return fd > 2 && is_file(fd) && fails(WRITE, ENOSPC) ? -1 : syscall(SYS_write, fd, buf, size);
}

ssize_t pwrite64(int fd, const void *buf, size_t size, off64_t at)
{
	return fails(WRITE, EIO) ? -1 : syscall(SYS_pwrite64, fd, buf, size, at);
}

int fsync(int fd)
{
	return fails(SYNC, EIO) ? -1 : syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return fails(SYNC, EIO) ? -1 : syscall(SYS_fdatasync, fd);
}

int rename(const char *old, const char *new)
{
	return fails(RENAME, EIO) ? -1 : syscall(SYS_rename, old, new);
}
