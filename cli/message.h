/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What dmremapctl says to a person. A failure is told once, where it is
 * handled: what happened, to what; advise() adds what to do next. With --json
 * all of it is kept and printed in the one object on standard output, and
 * errors and warnings go to standard error as well.
 */
#ifndef DMREMAP_MESSAGE_H
#define DMREMAP_MESSAGE_H

#include <stdbool.h>

#define PRINTF(fmt, args)	__attribute__((format(printf, fmt, args)))

struct output;

/* Called once, before anything is said. */
void messages_init(bool json);

/* Say that there is no memory, and end: nothing here goes on without. */
_Noreturn void no_memory(void);
/* With this status, instead of FAILED. */
void no_memory_status(int status);

/* Print an error. Returns FAILED. */
int fail(const char *fmt, ...) PRINTF(1, 2);

/* The same, followed by the meaning of the negative errno @err. */
int fail_errno(int err, const char *fmt, ...) PRINTF(2, 3);

/* Print an error in how the command was called. Returns WRONG_USAGE. */
int wrong_usage(const char *fmt, ...) PRINTF(1, 2);

void warn(const char *fmt, ...) PRINTF(1, 2);

/* What to do about the message before. */
void advise(const char *fmt, ...) PRINTF(1, 2);

/* A result: standard output, or the JSON object. */
void say(const char *fmt, ...) PRINTF(1, 2);

/* Add all that was said to @out, as "messages". */
void messages_describe(struct output *out);

/*
 * Ask a question that "y" or "yes" agrees to. Without a terminal, or with
 * --json, nothing is asked: refuses and names @flag as the way to agree.
 * Returns DONE or FAILED.
 */
int confirm(const char *flag, const char *fmt, ...) PRINTF(2, 3);

#endif /* DMREMAP_MESSAGE_H */
