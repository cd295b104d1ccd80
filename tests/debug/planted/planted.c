// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mistakes on purpose, one for each load, so that it is known that they would be told:
 * "bug=" chooses.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static char *bug = "";
module_param(bug, charp, 0);

static DEFINE_MUTEX(one);
static DEFINE_MUTEX(two);
static DEFINE_SPINLOCK(spin);

static void lock_inversion(void)
{
	mutex_lock(&one);
	mutex_lock(&two);
	mutex_unlock(&two);
	mutex_unlock(&one);

	mutex_lock(&two);
	mutex_lock(&one);
	mutex_unlock(&one);
	mutex_unlock(&two);
}

static void use_after_free(void)
{
	int *number = kmalloc(sizeof(*number), GFP_KERNEL);

	if (!number)
		return;
	kfree(number);
	barrier();
	WRITE_ONCE(*number, 5);
}

static void leak(void)
{
	void *volatile lost = kmalloc(1234, GFP_KERNEL);

	lost = NULL;
}

static void sleep_under_spinlock(void)
{
	spin_lock(&spin);
	msleep(1);
	spin_unlock(&spin);
}

static void rcu_without_lock(void)
{
	static int __rcu *number;

	WARN_ON_ONCE(rcu_dereference(number));
}

static const struct {
	const char *name;
	void (*plant)(void);
} bugs[] = {
	{ "lock-inversion", lock_inversion },
	{ "use-after-free", use_after_free },
	{ "leak", leak },
	{ "sleep-under-spinlock", sleep_under_spinlock },
	{ "rcu-without-lock", rcu_without_lock },
};

static int __init planted_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bugs); i++)
		if (!strcmp(bug, bugs[i].name)) {
			bugs[i].plant();
			return 0;
		}
	return -EINVAL;
}
module_init(planted_init);

static void __exit planted_exit(void)
{
}
module_exit(planted_exit);

MODULE_DESCRIPTION("mistakes on purpose");
MODULE_LICENSE("GPL");
