/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the unit tests of dmremapctl share: running a command as main() does, and what
 * it printed.
 */
#ifndef FIXTURE_CLI_H
#define FIXTURE_CLI_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka's, which goes without arguments; the program has its own. */
#undef fail
#undef fail_msg
#define fail_msg(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

#include "cli.h"
#include "dm-remap.h"

/*
 * Run the command @name with words that end with NULL. Returns its exit status; what it
 * printed, each until the next run, is in fx_out and fx_err.
 */
int fx_run(const char *name, ...);
extern char *fx_out, *fx_err;

void assert_contains(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);

#endif /* FIXTURE_CLI_H */
