// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spare label and unlabel: which devices the daemon may make spares by itself.
 */
#include <errno.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "set.h"

int cmd_spare_label(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_plan *plan;
	uint64_t tier = 0;
	bool done;
	int err;

	err = option_number(inv, "tier", 0, UINT32_MAX, &tier);
	if (err)
		return err;
	err = dmremap_label_plan(inv->args[0], option_text(inv, "domain"), (uint32_t)tier,
				 option_given(inv, "force") ? DMREMAP_FORCE : 0, &plan, &error);
	if (err == -EINVAL)
		return wrong_usage("spare label: %s", error.text);
	err = err < 0 ? fail_lib(inv, err, &error) : run_plan(inv, plan, NULL, &done);
	if (!err && done)
		say("%s may be used as a spare now.", inv->args[0]);
	return err;
}

int cmd_spare_unlabel(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_plan *plan;
	bool done;
	int err;

	err = dmremap_unlabel_plan(inv->args[0], 0, &plan, &error);
	err = err < 0 ? fail_lib(inv, err, &error) : run_plan(inv, plan, NULL, &done);
	if (!err && done)
		say("%s carries no label any more.", inv->args[0]);
	return err;
}
