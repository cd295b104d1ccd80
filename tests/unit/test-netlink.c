// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands and dumps over netlink, against a stand-in for the kernel: answers, errors
 * in the module's words, changes meanwhile, a module that comes and goes; and the
 * parsers on bytes that are cut, of wrong types, unknown or garbage.
 */
#include <limits.h>
#include <netlink/genl/genl.h>

#include "fixture-netlink.h"

static struct dmremap_error err;
static struct nlmsghdr *last;		/* the request as it came, a copy */

#define UUID	"2f1c8a52-0000-4000-8000-00000000000a"

static void keep(struct nlmsghdr *request)
{
	free(last);
	last = malloc(request->nlmsg_len);
	memcpy(last, request, request->nlmsg_len);
}

static struct nlattr *attribute(struct nlmsghdr *nlh, int attr)
{
	return nlmsg_find_attr(nlh, GENL_HDRLEN, attr);
}

static struct dmremap_nl *open_nl(void (*answer)(struct nlmsghdr *request))
{
	struct dmremap_nl *nl;

	fx_nl_reset(NULL);
	assert_int_equal(dmremap_nl_open(&nl, &err), 0);
	fx_nl.answer = answer;
	fx_nl.requests = 0;
	return nl;
}

/* --- Opening and errors --------------------------------------------------------- */

static void forbidden(struct nlmsghdr *request)
{
	fx_nl_error(request, -EPERM, NULL, true);
}

static void opening(void **state)
{
	struct dmremap_nl *nl;

	fx_nl_reset(NULL);
	fx_nl.loaded = false;
	assert_int_equal(dmremap_nl_open(&nl, &err), -ENOENT);
	assert_contains(err.text, "not loaded");
	/* One question, and none that makes the kernel look for a module. */
	assert_int_equal(fx_nl.lookups, 1);
	fx_nl_reset(forbidden);
	assert_int_equal(dmremap_nl_open(&nl, &err), -EPERM);
	assert_contains(err.text, "CAP_NET_ADMIN");
	fx_nl_reset(NULL);
	assert_int_equal(dmremap_nl_open(&nl, NULL), 0);
	dmremap_nl_free(nl);
	dmremap_nl_free(NULL);
}

static int refusal;
static const char *sentence;
static bool capped;

static void refuse(struct nlmsghdr *request)
{
	keep(request);
	fx_nl_error(request, refusal, sentence, capped);
}

static void errors(void **state)
{
	struct dmremap_nl *nl = open_nl(refuse);
	struct dmremap_nl_device device;

	sentence = "block 7 is not within the device";
	refusal = -ERANGE;
	for (int i = 0; i < 2; i++) {
		capped = i;
		assert_int_equal(dmremap_nl_device(nl, "backup", &device, &err), -ERANGE);
		assert_string_equal(err.text, "backup: block 7 is not within the device.");
	}
	sentence = "\x1b[2Jlies\xff!";
	assert_int_equal(dmremap_nl_scrub(nl, "backup", DMREMAP_SCRUB_PAUSE, 0, 0, &err),
			 -ERANGE);
	assert_string_equal(err.text, "backup: ?[2Jlies?!");
	sentence = NULL;
	refusal = -ENODEV;
	assert_int_equal(dmremap_nl_device(nl, "backup", &device, &err), -ENODEV);
	assert_contains(err.text, "backup is not active");
	refusal = -EPERM;
	assert_int_equal(dmremap_nl_device(nl, "backup", &device, &err), -EPERM);
	assert_contains(err.text, "CAP_NET_ADMIN");
	refusal = -EOPNOTSUPP;
	assert_int_equal(dmremap_nl_device(nl, "backup", &device, &err), -EOPNOTSUPP);
	assert_contains(err.text, "older");
	refusal = -EROFS;
	assert_int_equal(dmremap_nl_device(nl, "backup", &device, &err), -EROFS);
	assert_string_equal(err.text, "backup: Read-only file system.");
	/* Done, but nothing said. */
	refusal = 0;
	assert_int_equal(dmremap_nl_device(nl, "backup", &device, &err), -EBADMSG);
	/* Sets are named, or known by UUID in whatever case. */
	assert_non_null(attribute(last, DMR_A_NAME));
	assert_int_equal(dmremap_nl_scrub(nl, "2F1C8A52-0000-4000-8000-00000000000A",
					  DMREMAP_SCRUB_PAUSE, 0, 0, &err), 0);
	assert_null(attribute(last, DMR_A_NAME));
	assert_string_equal(nla_get_string(attribute(last, DMR_A_UUID)), UUID);
	dmremap_nl_free(nl);
}

static void short_error(struct nlmsghdr *request)
{
	struct nl_msg *msg = nlmsg_alloc();

	nlmsg_put(msg, request->nlmsg_pid, request->nlmsg_seq, NLMSG_ERROR, 2, NLM_F_ACK_TLVS);
	fx_nl_send(msg);
}

/* An error that claims to hold more of the request than it does. */
static void false_error(struct nlmsghdr *request)
{
	struct nlmsgerr e = { .error = -EINVAL, .msg = *request };
	struct nl_msg *msg = nlmsg_alloc();

	e.msg.nlmsg_len = 0xfffffff0;
	nlmsg_put(msg, request->nlmsg_pid, request->nlmsg_seq, NLMSG_ERROR, 0, NLM_F_ACK_TLVS);
	nlmsg_append(msg, &e, sizeof(e), NLMSG_ALIGNTO);
	nla_put_string(msg, NLMSGERR_ATTR_MSG, "not to be found");
	fx_nl_send(msg);
}

static void bad_errors(void **state)
{
	struct dmremap_nl *nl = open_nl(short_error);

	assert_int_equal(dmremap_nl_scrub(nl, "x", DMREMAP_SCRUB_CANCEL, 0, 0, &err), -EBADMSG);
	fx_nl.answer = false_error;
	assert_int_equal(dmremap_nl_scrub(nl, "x", DMREMAP_SCRUB_CANCEL, 0, 0, &err), -EINVAL);
	dmremap_nl_free(nl);
}

/* --- A device --------------------------------------------------------------------- */

static void put_scrub(struct nl_msg *msg)
{
	struct nlattr *nest = nla_nest_start(msg, DMR_A_SCRUB);

	nla_put_u32(msg, DMR_A_SCRUB_STATE, DMR_NL_SCRUB_STATE_PAUSED);
	nla_put_u64(msg, DMR_A_SCRUB_FIRST, 10);
	nla_put_u64(msg, DMR_A_SCRUB_END, 110);
	nla_put_u64(msg, DMR_A_SCRUB_POSITION, 60);
	nla_put_u64(msg, DMR_A_SCRUB_LOST, 3);
	nla_nest_end(msg, nest);
}

static struct nl_msg *device_message(struct nlmsghdr *request, const char *name, int flags)
{
	struct nl_msg *msg = fx_nl_new(request, DMR_CMD_DEVICE_GET, flags);
	struct nlattr *nest;

	nla_put_string(msg, DMR_A_NAME, name);
	nla_put_string(msg, DMR_A_UUID, UUID);
	nla_put_u32(msg, DMR_A_MAJOR, 253);
	nla_put_u32(msg, DMR_A_MINOR, 4);
	nla_put_u64(msg, DMR_A_SESSION, UINT64_MAX - 1);
	nla_put_u32(msg, DMR_A_MODE, DMR_NL_MODE_FROZEN);
	nla_put_u32(msg, DMR_A_BLOCK_SECTORS, 8);
	nla_put_u64(msg, DMR_A_SECTORS, 1ULL << 40);
	nla_put_u64(msg, DMR_A_SLOTS_USED, 5);
	nla_put_u64(msg, DMR_A_SLOTS, 50);
	nla_put_u32(msg, DMR_A_BREAKER, DMR_NL_BREAKER_OPEN_WRITES);
	nla_put_flag(msg, DMR_A_HEADER_OUT);
	nla_put_u64(msg, DMR_A_EVENT_SEQ, 17);
	/* Newer than this program. */
	nla_put_u32(msg, DMR_A_MAX + 3, 1);
	nest = nla_nest_start(msg, DMR_A_COUNTERS);
	nla_put_u64(msg, DMR_A_COUNTERS_READ_ERRORS, 4);
	nla_put_u64(msg, DMR_A_COUNTERS_METADATA_ERRORS, 9);
	nla_put_u64(msg, DMR_A_COUNTERS_MAX + 1, 1);
	nla_nest_end(msg, nest);
	put_scrub(msg);
	return msg;
}

static void one_device(struct nlmsghdr *request)
{
	assert_int_equal(dmri_nl_command(request), DMR_CMD_DEVICE_GET);
	assert_false(request->nlmsg_flags & NLM_F_DUMP);
	fx_nl_send(device_message(request, "backup", 0));
	fx_nl_error(request, 0, NULL, true);
}

static void check_device(const struct dmremap_nl_device *d)
{
	assert_string_equal(d->name, "backup");
	assert_string_equal(d->uuid, UUID);
	assert_int_equal(d->major, 253);
	assert_int_equal(d->minor, 4);
	assert_true(d->session == UINT64_MAX - 1);
	assert_int_equal(d->mode, DMR_NL_MODE_FROZEN);
	assert_true(d->sectors == 1ULL << 40);
	assert_int_equal(d->slots_used, 5);
	assert_int_equal(d->breaker, DMR_NL_BREAKER_OPEN_WRITES);
	assert_true(d->header_out);
	assert_false(d->degraded);
	assert_int_equal(d->event_seq, 17);
	assert_int_equal(d->nr_counters, 2);
	assert_string_equal(d->counters[0].name, "read_errors");
	assert_int_equal(d->counters[0].value, 4);
	assert_string_equal(d->counters[1].name, "metadata_errors");
	assert_int_equal(d->scrub.state, DMREMAP_SCRUB_PAUSED);
	assert_int_equal(d->scrub.position, 60);
	assert_int_equal(d->scrub.lost, 3);
}

static void device(void **state)
{
	struct dmremap_nl *nl = open_nl(one_device);
	struct dmremap_nl_device d;

	assert_int_equal(dmremap_nl_device(nl, "backup", &d, &err), 0);
	check_device(&d);
	dmremap_nl_free(nl);
}

/* What others send, and what belongs to another request, is not believed. */
static void with_strangers(struct nlmsghdr *request)
{
	struct nlmsghdr old = *request;
	struct nl_msg *msg;

	fx_nl.port = 4711;
	msg = device_message(request, "evil", 0);
	fx_nl_send(msg);
	fx_nl_error(request, -EINVAL, "evil", true);
	fx_nl.port = 0;
	old.nlmsg_seq--;
	fx_nl_send(device_message(&old, "old", 0));
	fx_nl_error(&old, -EINVAL, "old", true);
	one_device(request);
}

static void strangers(void **state)
{
	struct dmremap_nl *nl = open_nl(with_strangers);
	struct dmremap_nl_device d;

	assert_int_equal(dmremap_nl_device(nl, "backup", &d, &err), 0);
	check_device(&d);
	dmremap_nl_free(nl);
}

/* --- A module that comes and goes ----------------------------------------------------- */

static void reloaded(void **state)
{
	struct dmremap_nl *nl = open_nl(one_device);
	struct dmremap_nl_device d;

	fx_nl.family = 31;
	assert_int_equal(dmremap_nl_device(nl, "backup", &d, &err), 0);
	check_device(&d);
	fx_nl.loaded = false;
	assert_int_equal(dmremap_nl_device(nl, "backup", &d, &err), -ENOENT);
	assert_contains(err.text, "not loaded");
	assert_int_equal(dmremap_nl_device(nl, "backup", &d, &err), -ENOENT);
	fx_nl.loaded = true;
	fx_nl.family = 32;
	assert_int_equal(dmremap_nl_device(nl, "backup", &d, &err), 0);
	/* The module's own ENOENT, with a sentence, is not taken for that. */
	fx_nl.answer = refuse;
	refusal = -ENOENT;
	sentence = "there is no spare 4";
	fx_nl.lookups = 0;
	assert_int_equal(dmremap_nl_spare_retire(nl, "backup", 4, &err), -ENOENT);
	assert_string_equal(err.text, "backup: there is no spare 4.");
	assert_int_equal(fx_nl.lookups, 0);
	dmremap_nl_free(nl);
}

/* --- Dumps ------------------------------------------------------------------------------ */

static unsigned int interruptions, seen, failures;

static void devices_dump(struct nlmsghdr *request)
{
	bool interrupted = fx_nl.requests <= interruptions;

	assert_true(request->nlmsg_flags & NLM_F_DUMP);
	if (fx_nl.requests <= failures) {
		fx_nl_send(device_message(request, "cut", NLM_F_MULTI));
		fx_nl_fail(-NLE_NOMEM);
		return;
	}
	fx_nl_send(device_message(request, "backup", NLM_F_MULTI));
	fx_nl_send(device_message(request, "backup",
				  NLM_F_MULTI | (interrupted ? NLM_F_DUMP_INTR : 0)));
	fx_nl_send(device_message(request, "backup", NLM_F_MULTI));
	fx_nl_end(request, 0, NULL);
}

static int see_device(const struct dmremap_nl_device *d, void *arg)
{
	check_device(d);
	seen++;
	return arg ? 42 : 0;
}

static void dumps(void **state)
{
	struct dmremap_nl *nl = open_nl(devices_dump);

	seen = interruptions = failures = 0;
	assert_int_equal(dmremap_nl_devices(nl, NULL, see_device, NULL, &err), 0);
	assert_int_equal(seen, 3);
	assert_int_equal(dmremap_nl_devices(nl, NULL, see_device, nl, &err), 42);
	assert_int_equal(seen, 4);
	/* Nothing of a dump that is repeated is seen. */
	fx_nl.requests = seen = 0;
	interruptions = 2;
	assert_int_equal(dmremap_nl_devices(nl, NULL, see_device, NULL, &err), 0);
	assert_int_equal(seen, 3);
	assert_int_equal(fx_nl.requests, 3);
	fx_nl.requests = seen = 0;
	interruptions = UINT_MAX;
	assert_int_equal(dmremap_nl_devices(nl, NULL, see_device, NULL, &err), -EINTR);
	assert_int_equal(seen, 0);
	assert_contains(err.text, "ask again");
	/* What was lost on the way is asked for again, too. */
	fx_nl.requests = seen = interruptions = 0;
	failures = 1;
	assert_int_equal(dmremap_nl_devices(nl, NULL, see_device, NULL, &err), 0);
	assert_int_equal(seen, 3);
	dmremap_nl_free(nl);
}

static void failing_dump(struct nlmsghdr *request)
{
	fx_nl_send(device_message(request, "backup", NLM_F_MULTI));
	fx_nl_end(request, -EIO, "the map can not be read");
}

static void refused_dump(struct nlmsghdr *request)
{
	fx_nl_error(request, -EINVAL, "unknown attribute", true);
}

static void bad_dump(struct nlmsghdr *request)
{
	struct nl_msg *msg = fx_nl_new(request, DMR_CMD_DEVICE_GET, NLM_F_MULTI);

	nla_put_u32(msg, DMR_A_SESSION, 1);
	fx_nl_send(msg);
	fx_nl_send(device_message(request, "backup", NLM_F_MULTI));
	fx_nl_end(request, 0, NULL);
}

static void dump_errors(void **state)
{
	struct dmremap_nl *nl = open_nl(failing_dump);

	seen = 0;
	assert_int_equal(dmremap_nl_devices(nl, NULL, see_device, NULL, &err), -EIO);
	assert_string_equal(err.text, "dm-remap: the map can not be read.");
	fx_nl.answer = refused_dump;
	assert_int_equal(dmremap_nl_devices(nl, "backup", see_device, NULL, &err), -EINVAL);
	assert_string_equal(err.text, "backup: unknown attribute.");
	fx_nl.answer = bad_dump;
	assert_int_equal(dmremap_nl_devices(nl, NULL, see_device, NULL, &err), -EBADMSG);
	assert_int_equal(seen, 0);
	fx_nl.answer = devices_dump;
	assert_int_equal(dmremap_nl_devices(nl, NULL, see_device, NULL, &err), 0);
	dmremap_nl_free(nl);
}

/* --- Spares and statistics ------------------------------------------------------------------ */

static void spares_dump(struct nlmsghdr *request)
{
	struct nl_msg *msg;

	for (unsigned int i = 1; i < 3; i++) {
		msg = fx_nl_new(request, DMR_CMD_SPARE_GET, NLM_F_MULTI);
		nla_put_string(msg, DMR_A_NAME, "backup");
		nla_put_u32(msg, DMR_A_SPARE, i);
		nla_put_u32(msg, DMR_A_SPARE_STATE, DMR_NL_MEMBER_STATE_LEAVING);
		nla_put_string(msg, DMR_A_SPARE_UUID, UUID);
		if (i == 1) {
			nla_put_u32(msg, DMR_A_SPARE_MAJOR, 8);
			nla_put_u32(msg, DMR_A_SPARE_MINOR, 16);
		}
		nla_put_u64(msg, DMR_A_SLOTS_USED, 3 * i);
		nla_put_u64(msg, DMR_A_SLOTS, 100);
		nla_put_u64(msg, DMR_A_SLOTS_BAD, i);
		nla_put_u32(msg, DMR_A_TIER, i);
		fx_nl_send(msg);
	}
	fx_nl_end(request, 0, NULL);
}

static int see_spare(const struct dmremap_nl_spare *s, void *arg)
{
	seen++;
	assert_int_equal(s->member, seen);
	assert_int_equal(s->state, DMR_NL_MEMBER_STATE_LEAVING);
	assert_string_equal(s->uuid, UUID);
	assert_int_equal(s->major, seen == 1 ? 8 : 0);
	assert_int_equal(s->used, 3 * seen);
	assert_int_equal(s->bad, seen);
	assert_int_equal(s->tier, seen);
	return 0;
}

static void put_io(struct nl_msg *msg, u32 direction, u32 path, u64 ios, u64 sectors)
{
	struct nlattr *nest = nla_nest_start(msg, DMR_A_IO);

	nla_put_u32(msg, DMR_A_IO_DIRECTION, direction);
	nla_put_u32(msg, DMR_A_IO_PATH, path);
	nla_put_u64(msg, DMR_A_IO_IOS, ios);
	nla_put_u64(msg, DMR_A_IO_SECTORS, sectors);
	nla_nest_end(msg, nest);
}

static void stats_dump(struct nlmsghdr *request)
{
	struct nl_msg *msg = fx_nl_new(request, DMR_CMD_STATS_GET, NLM_F_MULTI);
	struct nlattr *nest;

	nla_put_string(msg, DMR_A_NAME, "backup");
	nla_put_u32(msg, DMR_A_SPARE, 0);
	put_io(msg, DMR_NL_DIRECTION_READ, DMR_NL_PATH_DIRECT, 100, 800);
	put_io(msg, DMR_NL_DIRECTION_WRITE, DMR_NL_PATH_REMAPPED, 7, 56);
	/* Ways that are newer than this program. */
	put_io(msg, 2, 0, 1, 1);
	put_io(msg, 0, DMREMAP_NL_PATHS, 1, 1);
	nest = nla_nest_start(msg, DMR_A_ERRORS);
	nla_put_u32(msg, DMR_A_ERRORS_DIRECTION, DMR_NL_DIRECTION_WRITE);
	nla_put_u32(msg, DMR_A_ERRORS_CLASS, DMR_NL_CLASS_OTHER);
	nla_put_u64(msg, DMR_A_ERRORS_IOS, 11);
	nla_nest_end(msg, nest);
	nest = nla_nest_start(msg, DMR_A_LATENCY);
	nla_put_u32(msg, DMR_A_LATENCY_DIRECTION, DMR_NL_DIRECTION_READ);
	/* Two more than are known: they are slower than all others. */
	for (unsigned int i = 0; i < DMR_NL_BUCKETS + 2; i++)
		nla_put_u64(msg, DMR_A_LATENCY_BUCKET, i);
	nla_nest_end(msg, nest);
	fx_nl_send(msg);
	fx_nl_end(request, 0, NULL);
}

static int see_stats(const struct dmremap_nl_stats *s, void *arg)
{
	seen++;
	assert_int_equal(s->member, 0);
	assert_int_equal(s->ios[0][DMR_NL_PATH_DIRECT], 100);
	assert_int_equal(s->sectors[0][DMR_NL_PATH_DIRECT], 800);
	assert_int_equal(s->ios[1][DMR_NL_PATH_REMAPPED], 7);
	assert_int_equal(s->ios[0][DMR_NL_PATH_REMAPPED], 0);
	assert_int_equal(s->errors[1][DMR_NL_CLASS_OTHER], 11);
	assert_int_equal(s->latency[0][5], 5);
	assert_int_equal(s->latency[0][31], 31 + 32 + 33);
	assert_int_equal(s->latency[1][31], 0);
	return 0;
}

static void other_dumps(void **state)
{
	struct dmremap_nl *nl = open_nl(spares_dump);

	seen = 0;
	assert_int_equal(dmremap_nl_spares(nl, "backup", see_spare, NULL, &err), 0);
	assert_int_equal(seen, 2);
	fx_nl.answer = stats_dump;
	seen = 0;
	assert_int_equal(dmremap_nl_stats(nl, "backup", see_stats, NULL, &err), 0);
	assert_int_equal(seen, 1);
	dmremap_nl_free(nl);
}

/* --- Policy --------------------------------------------------------------------------------- */

/* Takes what it is sent, as version 8. */
static void policy_module(struct nlmsghdr *request)
{
	struct nl_msg *msg = fx_nl_new(request, DMR_CMD_POLICY_GET, 0);
	struct nlattr *sent, *nest, *attr;
	int rest;

	keep(request);
	nest = nla_nest_start(msg, DMR_A_POLICY);
	nla_put_u64(msg, DMR_A_POLICY_VERSION, 8);
	sent = attribute(last, DMR_A_POLICY);
	if (sent) {
		nla_for_each_nested(attr, sent, rest)
			if (nla_type(attr) != DMR_A_POLICY_VERSION)
				nla_put(msg, nla_type(attr), nla_len(attr), nla_data(attr));
	} else {
		nla_put_u32(msg, DMR_A_POLICY_RETRIES, 3);
	}
	nla_nest_end(msg, nest);
	fx_nl_send(msg);
	fx_nl_error(request, 0, NULL, true);
}

static void policy(void **state)
{
	struct dmremap_nl *nl = open_nl(policy_module);
	struct dmremap_policy p, q;
	struct nlattr *tb[DMR_A_POLICY_MAX + 1];

	assert_int_equal(dmremap_nl_policy_get(nl, "backup", &p, &err), 0);
	assert_int_equal(p.version, 8);
	assert_int_equal(p.retries, 3);
	assert_int_equal(p.breaker_streak, DMR_DEFAULT_STREAK);
	p = (struct dmremap_policy){ 0, 1, 1, 1, 10, 600000, 65536, 4096, 600000, UINT32_MAX,
				     64, 100, 31536000 };
	q = p;
	assert_int_equal(dmremap_nl_policy_set(nl, "backup", &p, &err), 0);
	q.version = 8;
	assert_memory_equal(&p, &q, sizeof(p));
	assert_int_equal(nla_parse_nested(tb, DMR_A_POLICY_MAX, attribute(last, DMR_A_POLICY),
					  NULL), 0);
	/* The module chooses the version. */
	assert_null(tb[DMR_A_POLICY_VERSION]);
	for (int i = DMR_A_POLICY_VERSION + 1; i <= DMR_A_POLICY_MAX; i++)
		assert_int_equal(nla_len(tb[i]), 4);
	p.version = 9;
	assert_int_equal(dmremap_nl_policy_set(nl, "backup", &p, &err), 0);
	assert_int_equal(nla_parse_nested(tb, DMR_A_POLICY_MAX, attribute(last, DMR_A_POLICY),
					  NULL), 0);
	assert_int_equal(nla_get_u64(tb[DMR_A_POLICY_VERSION]), 9);
	/* Out of range is not even sent. */
	fx_nl.requests = 0;
	p.scrub_rate = 63;
	assert_int_equal(dmremap_nl_policy_set(nl, "backup", &p, &err), -EINVAL);
	assert_contains(err.text, "\"63\" is no value of scrub-rate; use 64 to");
	assert_int_equal(fx_nl.requests, 0);
	fx_nl.answer = refuse;
	refusal = -ESTALE;
	sentence = "version 9 is not above 12, which is in force";
	p.scrub_rate = 64;
	assert_int_equal(dmremap_nl_policy_set(nl, "backup", &p, &err), -ESTALE);
	assert_int_equal(p.version, 8);
	dmremap_nl_free(nl);
}

/* The same by name alone, with the errors of all that is told of running sets. */
static void policy_by_name(void **state)
{
	struct dmremap_policy p;

	fx_nl_reset(policy_module);
	assert_int_equal(dmremap_policy_get("backup", &p, &err), 0);
	assert_int_equal(p.retries, 3);
	p.retries = 4;
	assert_int_equal(dmremap_policy_set("backup", &p, &err), 0);
	p.retries = 11;
	assert_int_equal(dmremap_policy_set("backup", &p, &err), -EINVAL);
	fx_nl.loaded = false;
	assert_int_equal(dmremap_policy_get("backup", &p, &err), -ENODEV);
	fx_nl_reset(refuse);
	refusal = -ENODEV;
	sentence = NULL;
	assert_int_equal(dmremap_policy_get("backup", &p, &err), -ENOTCONN);
	assert_string_equal(err.text, "backup is not active.");
}

/* --- Commands ----------------------------------------------------------------------------------- */

static u32 early;

static void relocates(struct nlmsghdr *request)
{
	struct nl_msg *msg = fx_nl_new(request, DMR_CMD_RELOCATE, 0);

	keep(request);
	nla_put_u64(msg, DMR_A_MOVED, 5);
	nla_put_u64(msg, DMR_A_LOST, 1);
	nla_put_u64(msg, DMR_A_UNCHANGED, 2);
	nla_put_u64(msg, DMR_A_FAILED, 3);
	if (early)
		nla_put_u32(msg, DMR_A_ERROR, early);
	fx_nl_send(msg);
	fx_nl_error(request, 0, NULL, true);
}

static void joins(struct nlmsghdr *request)
{
	struct nl_msg *msg = fx_nl_new(request, DMR_CMD_SPARE_ADD, 0);

	keep(request);
	nla_put_u32(msg, DMR_A_SPARE, 3);
	fx_nl_send(msg);
	fx_nl_error(request, 0, NULL, true);
}

static void commands(void **state)
{
	struct dmremap_nl *nl = open_nl(relocates);
	struct dmremap_result result;
	unsigned int member;

	early = 0;
	assert_int_equal(dmremap_nl_relocate(nl, "backup", 1ULL << 40, 8, true, &result, &err), 0);
	assert_int_equal(result.relocated, 5);
	assert_int_equal(result.lost, 1);
	assert_int_equal(result.unchanged, 2);
	assert_int_equal(result.failed, 3);
	assert_true(nla_get_u64(attribute(last, DMR_A_FIRST)) == 1ULL << 40);
	assert_non_null(attribute(last, DMR_A_SLOW_ONLY));
	early = ENOSPC;
	memset(&result, 0, sizeof(result));
	assert_int_equal(dmremap_nl_relocate(nl, "backup", 1, 8, false, &result, &err), -ENOSPC);
	assert_int_equal(result.relocated, 5);
	assert_contains(err.text, "what has moved stays");
	assert_null(attribute(last, DMR_A_SLOW_ONLY));
	early = UINT32_MAX;
	assert_int_equal(dmremap_nl_relocate(nl, "backup", 1, 8, false, NULL, &err), -EBADMSG);

	fx_nl.answer = joins;
	assert_int_equal(dmremap_nl_spare_add(nl, "backup", 8, 17, &member, &err), 0);
	assert_int_equal(member, 3);
	assert_int_equal(nla_get_u32(attribute(last, DMR_A_SPARE_MINOR)), 17);

	fx_nl.answer = refuse;
	refusal = 0;
	sentence = NULL;
	assert_int_equal(dmremap_nl_scrub(nl, "backup", DMREMAP_SCRUB_START, 5, 0, &err), 0);
	assert_int_equal(dmri_nl_command(last), DMR_CMD_SCRUB_START);
	assert_int_equal(nla_get_u64(attribute(last, DMR_A_FIRST)), 5);
	assert_null(attribute(last, DMR_A_COUNT));
	assert_int_equal(dmremap_nl_scrub(nl, "backup", DMREMAP_SCRUB_RESUME, 0, 0, &err), 0);
	assert_int_equal(dmri_nl_command(last), DMR_CMD_SCRUB_RESUME);
	assert_int_equal(dmremap_nl_scrub(nl, "backup", 17, 0, 0, &err), -EINVAL);
	assert_int_equal(dmremap_nl_spare_retire(nl, "backup", 2, &err), 0);
	assert_int_equal(nla_get_u32(attribute(last, DMR_A_SPARE)), 2);
	dmremap_nl_free(nl);
}

/* --- Bytes --------------------------------------------------------------------------------------- */

static struct nl_msg *event_message(void)
{
	struct nl_msg *msg = fx_nl_new(NULL, DMR_CMD_EVENT, 0);
	struct nlattr *nest;

	nla_put_string(msg, DMR_A_NAME, "backup");
	nla_put_string(msg, DMR_A_UUID, UUID);
	nla_put_u64(msg, DMR_A_SEQ, 9);
	nla_put_u32(msg, DMR_A_EVENT, DMR_NL_EVENT_LOST);
	nla_put_u64(msg, DMR_A_TIME, 1735689600000000000ULL);
	nla_put_u32(msg, DMR_A_SPARE, 0);
	for (unsigned int i = 0; i < DMREMAP_EVENT_EXTENTS + 2; i++) {
		nest = nla_nest_start(msg, DMR_A_EXTENTS);
		nla_put_u64(msg, DMR_A_EXTENT_SECTOR, 100 * i);
		nla_put_u64(msg, DMR_A_EXTENT_COUNT, 8);
		nla_nest_end(msg, nest);
	}
	nla_put_u64(msg, DMR_A_EXTENTS_LOST, 5);
	nest = nla_nest_start(msg, DMR_A_POLICY);
	nla_put_u32(msg, DMR_A_POLICY_HEAL, 1);
	nla_nest_end(msg, nest);
	put_scrub(msg);
	return msg;
}

static void event(void **state)
{
	struct nl_msg *msg = event_message();
	struct dmremap_event e;

	assert_int_equal(dmri_nl_parse_event(nlmsg_hdr(msg), &e), 0);
	assert_int_equal(e.kind, DMR_NL_EVENT_LOST);
	assert_int_equal(e.member, 0);
	assert_int_equal(e.direction, -1);
	assert_int_equal(e.class_, -1);
	assert_int_equal(e.breaker, -1);
	assert_int_equal(e.reason, -1);
	assert_int_equal(e.nr_extents, DMREMAP_EVENT_EXTENTS);
	assert_int_equal(e.extents[63].start, 6300);
	assert_int_equal(e.extents_lost, 7);
	assert_true(e.time_last == e.time);
	assert_false(e.has_slots);
	assert_true(e.has_policy && e.policy.heal == 1 && e.policy.breaker_ms == 1000);
	assert_true(e.has_scrub && e.scrub.position == 60);
	nlmsg_free(msg);
}

/* All parsers on a copy without a byte too many. */
static void parse_all(const void *bytes, size_t length)
{
	union {
		struct dmremap_nl_device device;
		struct dmremap_nl_spare spare;
		struct dmremap_nl_stats stats;
		struct dmremap_policy policy;
		struct dmremap_event event;
		struct dmri_nl_result result;
	} *u = malloc(sizeof(*u));
	struct nlmsghdr *nlh = malloc(length);
	int r[6];

	memcpy(nlh, bytes, length);
	nlh->nlmsg_len = length;
	r[0] = dmri_nl_parse_device(nlh, &u->device);
	if (!r[0])
		assert_true(u->device.nr_counters <= DMREMAP_MAX_COUNTERS && u->device.name[0]);
	r[1] = dmri_nl_parse_spare(nlh, &u->spare);
	r[2] = dmri_nl_parse_stats(nlh, &u->stats);
	r[3] = dmri_nl_parse_policy(nlh, &u->policy);
	r[4] = dmri_nl_parse_result(nlh, &u->result);
	if (!r[4])
		assert_true(u->result.code <= 0 && u->result.code >= -4095);
	r[5] = dmri_nl_parse_event(nlh, &u->event);
	if (!r[5]) {
		char text[256];

		assert_true(u->event.nr_extents <= DMREMAP_EVENT_EXTENTS);
		assert_true(strlen(dmremap_event_text(&u->event, text, sizeof(text))) < 256);
	}
	for (size_t i = 0; i < ARRAY_SIZE(r); i++)
		assert_true(!r[i] || r[i] == -EBADMSG);
	free(nlh);
	free(u);
}

static u32 random_state = 1;

static u32 next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

static void hostile_bytes(void **state)
{
	struct nl_msg *msgs[2] = { event_message(), device_message(NULL, "backup", 0) };

	for (unsigned int m = 0; m < 2; m++) {
		struct nlmsghdr *nlh = nlmsg_hdr(msgs[m]);
		size_t length = nlh->nlmsg_len, i;
		unsigned char *bytes = malloc(length);

		for (i = sizeof(*nlh); i <= length; i++)
			parse_all(nlh, i);
		for (i = 0; i < 20000; i++) {
			unsigned int n = next_random() % 4 + 1;

			memcpy(bytes, nlh, length);
			while (n--)
				bytes[sizeof(*nlh) + next_random() % (length - sizeof(*nlh))] =
					next_random() >> 8;
			parse_all(bytes, length);
		}
		free(bytes);
		nlmsg_free(msgs[m]);
	}
}

/* A device of which one attribute is what it should not be. */
static int device_with(int attr, const void *bytes, int length)
{
	struct nl_msg *msg = device_message(NULL, "backup", 0);
	struct dmremap_nl_device d;
	int r;

	nla_put(msg, attr, length, bytes);
	r = dmri_nl_parse_device(nlmsg_hdr(msg), &d);
	nlmsg_free(msg);
	return r;
}

static void wrong_types(void **state)
{
	static const unsigned char zeros[256], ones[256] = { [0 ... 255] = 'x' };
	struct nl_msg *msg;
	struct dmremap_nl_device d;
	struct dmremap_event e;
	u32 blocks[] = { 0, 3, 33, 64 };

	assert_int_equal(device_with(DMR_A_SESSION, zeros, 8), 0);
	for (int i = 0; i < 16; i++) {
		if (i != 8)
			assert_int_equal(device_with(DMR_A_SESSION, zeros, i), -EBADMSG);
		if (i != 4)
			assert_int_equal(device_with(DMR_A_MODE, zeros, i), -EBADMSG);
	}
	/* Text: without an end, too long, empty. */
	assert_int_equal(device_with(DMR_A_NAME, ones, 4), -EBADMSG);
	assert_int_equal(device_with(DMR_A_NAME, ones, 200), -EBADMSG);
	assert_int_equal(device_with(DMR_A_NAME, zeros, 1), -EBADMSG);
	assert_int_equal(device_with(DMR_A_NAME, zeros, 0), -EBADMSG);
	assert_int_equal(device_with(DMR_A_UUID, ones, 37), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		assert_int_equal(device_with(DMR_A_BLOCK_SECTORS, &blocks[i], 4), -EBADMSG);
	/* Nests that are none. */
	assert_int_equal(device_with(DMR_A_SCRUB, ones, 7), -EBADMSG);
	assert_int_equal(device_with(DMR_A_SCRUB, "\x40\x00\x02\x00xxxx", 8), -EBADMSG);
	assert_int_equal(device_with(DMR_A_COUNTERS, ones, 64), -EBADMSG);
	assert_int_equal(device_with(DMR_A_COUNTERS, "", 0), 0);
	/* Nothing at all. */
	msg = fx_nl_new(NULL, DMR_CMD_EVENT, 0);
	assert_int_equal(dmri_nl_parse_device(nlmsg_hdr(msg), &d), -EBADMSG);
	assert_int_equal(dmri_nl_parse_event(nlmsg_hdr(msg), &e), -EBADMSG);
	nlmsg_free(msg);
}

/* Runs of sectors that are none. */
static void wrong_extents(void **state)
{
	static const u64 bad[][2] = { { 1, 0 }, { UINT64_MAX, 2 }, { 5, UINT64_MAX } };
	struct dmremap_event e;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct nl_msg *msg = event_message();
		struct nlattr *nest = nla_nest_start(msg, DMR_A_EXTENTS);

		nla_put_u64(msg, DMR_A_EXTENT_SECTOR, bad[i][0]);
		nla_put_u64(msg, DMR_A_EXTENT_COUNT, bad[i][1]);
		nla_nest_end(msg, nest);
		assert_int_equal(dmri_nl_parse_event(nlmsg_hdr(msg), &e), -EBADMSG);
		nlmsg_free(msg);
	}
}

static int forget_all(void **state)
{
	fx_nl_forget();
	free(last);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),
		cmocka_unit_test(errors),
		cmocka_unit_test(bad_errors),
		cmocka_unit_test(device),
		cmocka_unit_test(strangers),
		cmocka_unit_test(reloaded),
		cmocka_unit_test(dumps),
		cmocka_unit_test(dump_errors),
		cmocka_unit_test(other_dumps),
		cmocka_unit_test(policy),
		cmocka_unit_test(policy_by_name),
		cmocka_unit_test(commands),
		cmocka_unit_test(event),
		cmocka_unit_test(hostile_bytes),
		cmocka_unit_test(wrong_types),
		cmocka_unit_test(wrong_extents),
	};

	return cmocka_run_group_tests(tests, NULL, forget_all);
}
