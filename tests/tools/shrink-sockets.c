// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes the receive buffers of another process's netlink sockets as small as the kernel
 * allows, so that a few messages are too many for it.
 */
#include <dirent.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int pid = argc == 2 ? atoi(argv[1]) : 0, pidfd, fd, domain, bytes = 0, shrunk = 0;
	socklen_t size = sizeof(domain);
	struct dirent *entry;
	char path[64];
	DIR *dir;

	if (!pid) {
		fputs("usage: shrink-sockets PID\n", stderr);
		return 2;
	}
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (!dir || pidfd < 0) {
		perror("shrink-sockets");
		return 1;
	}
	while ((entry = readdir(dir))) {
		fd = entry->d_name[0] == '.' ? -1 :
		     syscall(SYS_pidfd_getfd, pidfd, atoi(entry->d_name), 0);
		if (fd < 0)
			continue;
		if (!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) &&
		    domain == AF_NETLINK &&
		    !setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)))
			shrunk++;
		close(fd);
	}
	printf("%d\n", shrunk);
	return shrunk ? 0 : 1;
}
