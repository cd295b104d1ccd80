// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listening to the module: events, a family that goes, messages that were lost.
 */
#include <netlink/genl/genl.h>

#include "fixture-netlink.h"

static struct dmremap_error err;
static struct dmremap_event event;

static void tell(u64 seq)
{
	struct nl_msg *msg = fx_nl_new(NULL, DMR_CMD_EVENT, 0);

	nla_put_string(msg, DMR_A_NAME, "backup");
	nla_put_u64(msg, DMR_A_SEQ, seq);
	nla_put_u32(msg, DMR_A_EVENT, DMR_NL_EVENT_SLOW);
	fx_nl_tell(msg);
}

static struct dmremap_monitor *open_monitor(void)
{
	struct dmremap_monitor *m;

	fx_nl_reset(NULL);
	assert_int_equal(dmremap_monitor_open(&m, &err), 0);
	return m;
}

static int next(struct dmremap_monitor *m)
{
	return dmremap_monitor_next(m, &event, &err);
}

static void opening(void **state)
{
	struct dmremap_monitor *m;

	fx_nl_reset(NULL);
	fx_nl.loaded = false;
	assert_int_equal(dmremap_monitor_open(&m, &err), -ENOENT);
	assert_int_equal(fx_nl.lookups, 1);
	m = open_monitor();
	assert_int_equal(next(m), 0);
	dmremap_monitor_free(m);
	dmremap_monitor_free(NULL);
}

static void events_in_order(void **state)
{
	struct dmremap_monitor *m = open_monitor();
	struct nl_msg *msg;

	tell(1);
	fx_nl_notice(false);
	tell(2);
	/* What others send, what is no event, and what is garbage, is skipped. */
	fx_nl.port = 4711;
	tell(666);
	fx_nl.port = 0;
	fx_nl_tell(fx_nl_new(NULL, DMR_CMD_DEVICE_GET, 0));
	fx_nl_tell(fx_nl_new(NULL, DMR_CMD_EVENT, 0));
	msg = fx_nl_new(NULL, DMR_CMD_EVENT, 0);
	nlmsg_hdr(msg)->nlmsg_len = NLMSG_HDRLEN;
	fx_nl_tell(msg);
	tell(3);
	for (u64 seq = 1; seq <= 3; seq++) {
		assert_int_equal(next(m), 1);
		assert_int_equal(event.seq, seq);
		assert_string_equal(event.name, "backup");
	}
	assert_int_equal(next(m), 0);
	tell(4);
	assert_int_equal(next(m), 1);
	dmremap_monitor_free(m);
}

static void module_goes(void **state)
{
	struct dmremap_monitor *m = open_monitor();

	tell(1);
	fx_nl_notice(true);
	tell(2);
	assert_int_equal(next(m), 1);
	assert_int_equal(next(m), -ENOENT);
	assert_contains(err.text, "not loaded");
	assert_int_equal(next(m), -ENOENT);
	dmremap_monitor_free(m);
	fx_nl_forget();
}

static void overrun(void **state)
{
	struct dmremap_monitor *m = open_monitor();

	tell(1);
	fx_nl_fail_listener(-NLE_NOMEM);
	tell(90);
	assert_int_equal(next(m), 1);
	assert_int_equal(next(m), -ENOBUFS);
	assert_int_equal(next(m), 1);
	assert_int_equal(event.seq, 90);
	/* The notice was among what was lost. */
	fx_nl_fail_listener(-NLE_NOMEM);
	fx_nl.family++;
	assert_int_equal(next(m), -ENOENT);
	dmremap_monitor_free(m);
	m = open_monitor();
	fx_nl_fail_listener(-NLE_NOMEM);
	fx_nl.loaded = false;
	assert_int_equal(next(m), -ENOENT);
	dmremap_monitor_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),
		cmocka_unit_test(events_in_order),
		cmocka_unit_test(module_goes),
		cmocka_unit_test(overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
