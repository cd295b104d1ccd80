// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether the module is there: generic netlink itself tells of families that come and
 * go, in a group that anyone may join. So its absence costs nothing, and its return
 * is known at once; its multicast group has another number then.
 */
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon.h"

#define NOTIFY_GROUP	GENL_ID_CTRL	/* fixed: nlctrl's "notify" */

struct family_watch {
	struct daemon *daemon;
	family_fn fn;
	sd_event_source *source;
};

static bool names_us(const struct nlmsghdr *header)
{
	const struct genlmsghdr *genl = NLMSG_DATA(header);
	size_t size = NLMSG_PAYLOAD(header, GENL_HDRLEN);
	const struct nlattr *attr = (const void *)((const char *)genl + GENL_HDRLEN);

	while (size >= NLA_HDRLEN && attr->nla_len >= NLA_HDRLEN && attr->nla_len <= size) {
		size_t step = NLA_ALIGN(attr->nla_len);

		if ((attr->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_FAMILY_NAME)
			return !strncmp((const char *)attr + NLA_HDRLEN, DMR_GENL_NAME,
					attr->nla_len - NLA_HDRLEN);
		if (step >= size)
			break;
		size -= step;
		attr = (const void *)((const char *)attr + step);
	}
	return false;
}

static int on_message(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct family_watch *watch = arg;
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *header = (const void *)buf;
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	unsigned int left = n;

	if (n < 0) {
		/* Something was lost: look whether it is there. */
		if (errno == ENOBUFS)
			watch->fn(watch->daemon, true);
		return 0;
	}
	for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
		const struct genlmsghdr *genl = NLMSG_DATA(header);

		if (header->nlmsg_type != GENL_ID_CTRL ||
		    header->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN) || !names_us(header))
			continue;
		if (genl->cmd == CTRL_CMD_NEWFAMILY)
			watch->fn(watch->daemon, true);
		else if (genl->cmd == CTRL_CMD_DELFAMILY)
			watch->fn(watch->daemon, false);
	}
	return 0;
}

int family_watch_open(struct daemon *daemon, family_fn fn, struct family_watch **result)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	struct family_watch *watch;
	int fd, group = NOTIFY_GROUP, ret;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);
	if (fd < 0)
		return -errno;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		ret = -ENOMEM;
	else if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		 setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		ret = -errno;
	else
		ret = sd_event_add_io(daemon->event, &watch->source, fd, EPOLLIN, on_message,
				      watch);
	if (ret < 0) {
		close(fd);
		free(watch);
		return ret;
	}
	sd_event_source_set_io_fd_own(watch->source, true);
	watch->daemon = daemon;
	watch->fn = fn;
	*result = watch;
	return 0;
}

void family_watch_free(struct family_watch *watch)
{
	if (watch)
		sd_event_source_disable_unref(watch->source);
	free(watch);
}
