// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmremapd: starts what there is, runs the loop, loads the configuration again on
 * SIGHUP, and ends on SIGTERM. It tells systemd when it is ready and that it lives.
 */
#include <getopt.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"

#define STOP_MS		10000
#define LOG_STOP_MS	3000

struct options {
	bool foreground, verbose, print_config;
	const char *root;
	const char *start_degraded;	/* UUID of a set */
};

static const char usage[] =
	"Usage: dmremapd [OPTION...]\n"
	"Watch the sets of dm-remap: tell of faults, send policy, add spares, move what fails.\n"
	"\n"
	"  -f, --foreground     write to stderr, never to the journal\n"
	"  -v, --verbose        tell more\n"
	"      --print-config   show all settings with what they mean and are, and end\n"
	"      --start-degraded=UUID\n"
	"                       start this set although spares are missing, if that is configured\n"
	"      --root=DIR       look for configuration, and keep state, under DIR\n"
	"  -h, --help           show this and end\n"
	"      --version        show the version and end\n"
	"\n"
	"Settings: /etc/dm-remap/dmremapd.conf and dmremapd.conf.d/*.conf beside it, the same\n"
	"under /run/dm-remap and /usr/lib/dm-remap. SIGHUP (systemctl reload) loads them again.\n";

enum { OPTION_VERSION = 256, OPTION_PRINT, OPTION_ROOT, OPTION_DEGRADED };

/* 0 to go on, 1 to end well, or -EINVAL. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option list[] = {
		{ "foreground", no_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "print-config", no_argument, NULL, OPTION_PRINT },
		{ "root", required_argument, NULL, OPTION_ROOT },
		{ "start-degraded", required_argument, NULL, OPTION_DEGRADED },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, OPTION_VERSION },
		{ NULL }
	};
	int option;

	while ((option = getopt_long(argc, argv, "fvh", list, NULL)) >= 0) {
		switch (option) {
		case 'f':
			options->foreground = true;
			break;
		case 'v':
			options->verbose = true;
			break;
		case OPTION_PRINT:
			options->print_config = true;
			break;
		case OPTION_ROOT:
			options->root = optarg;
			break;
		case OPTION_DEGRADED:
			options->start_degraded = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 1;
		case OPTION_VERSION:
			printf("dmremapd %s\n", dmremap_version());
			return 1;
		default:
			fputs("Try \"dmremapd --help\".\n", stderr);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "dmremapd takes no argument \"%s\". Try \"dmremapd --help\".\n",
			argv[optind]);
		return -EINVAL;
	}
	return 0;
}

void daemon_status(struct daemon *daemon)
{
	unsigned int nr = 0, alerts = alert_count(daemon);
	const struct watched_set *set;

	LIST_FOREACH(set, &daemon->sets, link)
		nr++;
	sd_notifyf(false, "STATUS=%u set%s in use, %u alert%s.", nr, nr == 1 ? "" : "s", alerts,
		   alerts == 1 ? "" : "s");
}

/* Does the loop run it when a disk fails? The program itself has no name here. */
static bool tells(const char *object)
{
	static const char *const names[] = {
		"libc.", "ld-", "libsystemd.", "libnl-", "libjson-c.",
	};
	const char *slash = strrchr(object, '/');
	const char *name = slash ? slash + 1 : object;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(name, names[i], strlen(names[i])))
			return true;
	return !*object;
}

/* Read in the code of one object that is loaded. */
static int read_code(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = sysconf(_SC_PAGESIZE), begin, end;
	int i;

	if (!tells(info->dlpi_name))
		return 0;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
			continue;
		begin = (info->dlpi_addr + segment->p_vaddr) & ~(page - 1);
		end = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;
		madvise((void *)begin, end - begin, MADV_POPULATE_READ);
	}
	return 0;
}

/*
 * Swap may lie on a device that is watched, and the disk with the program too. Memory is
 * locked as it is touched, since most of it never is; but the code that tells of a disk
 * that fails is read now, since it has perhaps not been run before.
 */
static void lock_memory(struct daemon *daemon)
{
	if (!daemon->config->lock_memory)
		return;
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_warning("Memory can not be locked: %s. The daemon may stop while a disk with swap or with its program does not answer.",
			    strerror(errno));
	dl_iterate_phdr(read_code, NULL);
}

static void reload(struct daemon *daemon)
{
	struct dmremap_error err;
	struct config *config;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   now.tv_sec * 1000000ULL + now.tv_nsec / 1000);
	if (config_load(daemon->root, &config, &err) < 0) {
		log_error("%s The configuration stays as it was.", err.text);
	} else {
		config_free(daemon->config);
		daemon->config = config;
		log_notice("The configuration was loaded again.");
		alert_reload(daemon);
		policy_reload(daemon);
		scrub_reload(daemon);
		sample_reload(daemon);
		smart_reload(daemon);
		spares_reload(daemon);
		rules_reload(daemon);
	}
	sd_notify(false, "READY=1");
	daemon_status(daemon);
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	reload(arg);
	return 0;
}

static int watch_signals(struct daemon *daemon)
{
	sigset_t signals;
	int ret;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	/* Without a handler of ours these two end the loop. */
	ret = sd_event_add_signal(daemon->event, NULL, SIGTERM, NULL, NULL);
	if (ret >= 0)
		ret = sd_event_add_signal(daemon->event, NULL, SIGINT, NULL, NULL);
	if (ret >= 0)
		ret = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_hangup, daemon);
	return ret;
}

static int start(struct daemon *daemon)
{
	static const struct {
		int (*start)(struct daemon *daemon);
		const char *what;
	} parts[] = {
		{ watch_signals, "signals" }, { log_start, "the journal" },
		{ worker_init, "threads" },
		{ state_open, "the state" }, { record_start, "the history" },
		{ hooks_start, "hooks" }, { alert_start, "alerts" }, { scrub_start, "scrubs" },
		{ sample_start, "samples" }, { sets_start, "sets" }, { smart_start, "SMART" },
		{ spares_start, "spares" }, { rules_start, "rules" }, { events_start, "events" },
	};
	size_t i;
	int ret;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		ret = parts[i].start(daemon);
		if (ret < 0) {
			log_error("Can not start with %s: %s.", parts[i].what, strerror(-ret));
			return ret;
		}
	}
	return 0;
}

static void stop(struct daemon *daemon)
{
	events_stop(daemon);
	rules_stop(daemon);
	spares_stop(daemon);
	smart_stop(daemon);
	sample_stop(daemon);
	scrub_stop(daemon);
	sets_stop(daemon);
	alert_stop(daemon);
	hooks_stop(daemon);
	record_stop(daemon);
	state_close(daemon);
	worker_stop(daemon, STOP_MS);
	log_stop(LOG_STOP_MS);
}

static int run(struct daemon *daemon)
{
	int ret = sd_event_new(&daemon->event);

	if (ret < 0) {
		log_error("Can not make an event loop: %s.", strerror(-ret));
		return ret;
	}
	lock_memory(daemon);
	ret = start(daemon);
	if (ret >= 0) {
		sd_event_set_watchdog(daemon->event, true);
		sd_notify(false, "READY=1");
		daemon_status(daemon);
		ret = sd_event_loop(daemon->event);
		sd_notify(false, "STOPPING=1");
		if (ret < 0)
			log_error("The event loop failed: %s.", strerror(-ret));
	}
	stop(daemon);
	sd_event_unref(daemon->event);
	return ret;
}

int main(int argc, char **argv)
{
	struct options options = { .root = "" };
	struct daemon daemon = { 0 };
	struct dmremap_error err;
	int ret;

	ret = parse_options(argc, argv, &options);
	if (ret)
		return ret < 0 ? 2 : 0;
	/* Anyone may read the history, whatever the unit has for its hooks. */
	umask(0022);
	log_open(options.foreground, options.verbose);
	daemon.root = options.root;
	ret = config_load(daemon.root, &daemon.config, &err);
	if (ret < 0) {
		log_error("%s", err.text);
		return 1;
	}
	if (options.print_config)
		config_print(daemon.config, stdout);
	else if (options.start_degraded)
		ret = start_degraded(daemon.config, options.start_degraded);
	else
		ret = run(&daemon);
	config_free(daemon.config);
	return ret < 0 ? 1 : 0;
}
