// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A TCG plugin for QEMU (-plugin FILE,out=PATH): the instructions of the guest's kernel, by the
 * address of the translated block that they are in, for each of some phases. The guest says
 * in which it is: it calls MARKS + PHASE * MARK_SIZE, where io-cost --mark maps code; phase
 * 0 is not counted. Written to PATH when QEMU ends, as "PHASE ADDRESS COUNT" a line.
 *
 * No package has the header of this interface, so that what is used of its version 1 is
 * declared here. See "QEMU TCG Plugins" in QEMU's manual for developers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"

#define KERNEL_START	0xffffffff80000000ULL
#define EXPORT		__attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_info;
struct qemu_plugin_tb;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   void (*cb)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*cb)(unsigned int cpu, void *data),
					  int registers, void *data);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id, void *), void *data);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv);

/* A block as it was translated; never freed, for QEMU may go on to name it. */
struct block {
	struct block *next;
	uint64_t address, instructions;
	uint64_t times[MARK_PHASES];
};

static struct block *blocks;
static unsigned int phase;
static const char *out;

static void block_runs(unsigned int cpu, void *data)
{
	struct block *b = data;

	(void)cpu;
	if (phase)
		b->times[phase]++;
}

static void mark_runs(unsigned int cpu, void *data)
{
	(void)cpu;
	phase = (uintptr_t)data;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);
	struct block *b;

	(void)id;
	if (address >= MARKS && address < MARKS + MARK_PHASES * MARK_SIZE) {
		qemu_plugin_register_vcpu_tb_exec_cb(tb, mark_runs, 0,
			(void *)(uintptr_t)((address - MARKS) / MARK_SIZE));
		return;
	}
	if (address < KERNEL_START)
		return;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->address = address;
	b->instructions = qemu_plugin_tb_n_insns(tb);
	b->next = blocks;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, block_runs, 0, b);
}

static void ends(plugin_id id, void *data)
{
	FILE *file = fopen(out, "w");

	(void)id;
	(void)data;
	if (!file) {
		perror(out);
		return;
	}
	for (const struct block *b = blocks; b; b = b->next)
		for (unsigned int i = 1; i < MARK_PHASES; i++)
			if (b->times[i])
				fprintf(file, "%u %" PRIx64 " %" PRIu64 "\n", i, b->address,
					b->times[i] * b->instructions);
	if (fclose(file))
		perror(out);
}

int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fputs("profile: out=PATH is wanted\n", stderr);
		return -1;
	}
	out = strdup(argv[0] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ends, NULL);
	return out ? 0 : -1;
}
