/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of the kernel's headers as kernel/index.c and front.c use, for one thread in user
 * space: the very code of the module is measured, and fuzzed (tests/fuzz/module). The empty
 * headers in linux/ end here.
 */
#ifndef NATIVE_KERNEL_H
#define NATIVE_KERNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/cdefs.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define U32_MAX			UINT32_MAX
#define PAGE_SIZE		4096UL
#define __rcu
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define min_t(type, a, b)	((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define BUILD_BUG_ON(x)		_Static_assert(!(x), #x)
#define OPTIMIZER_HIDE_VAR(x)	__asm__("" : "=r"(x) : "0"(x))
#define GOLDEN_RATIO_64		0x61C8864680B583EBULL
#define struct_size(p, member, n) \
	(sizeof(*(p)) + (n) * sizeof((p)->member[0]))

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

struct rcu_head {
	void *unused[2];
};

#define rcu_dereference_check(p, c)	READ_ONCE(p)
#define rcu_dereference_protected(p, c)	(p)
#define rcu_assign_pointer(p, v)	((p) = (v))
#define RCU_INIT_POINTER(p, v)		((p) = (v))
#define kfree_rcu(p, member)		free(p)
#define kvfree_rcu(p, member)		free(p)

#define NUMA_NO_NODE	(-1)
#define GFP_NOIO	0
#define __GFP_NORETRY	0
#define __GFP_NOWARN	0
#define kzalloc(size, gfp)	calloc(1, size)
#define kvzalloc(size, gfp)	calloc(1, size)
#define kzalloc_node(size, gfp, node)	((void)(node), calloc(1, size))
#define kvzalloc_node(size, gfp, node)	((void)(node), calloc(1, size))
#define kfree(p)		free((void *)(p))
#define kvfree(p)		free((void *)(p))
#define cond_resched()		do { } while (0)

#endif /* NATIVE_KERNEL_H */
