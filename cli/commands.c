// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command table: the one place that knows which commands and options there
 * are. Parsing, help, man page and completion are made from it.
 */
#include "cli.h"
#include "commands.h"

const struct option_spec common_options[] = {
	{ "json", NULL, "print one JSON object with a version, numbers as numbers", 0 },
	{ "help", NULL, "print this help", 0 },
	{},
};

/* The same words everywhere. */
#define DRY_RUN	{ "dry-run", NULL, "check everything, show what would be done, write nothing", 0 }
#define FORCE_PLAN { "force", NULL, "agree to what is destroyed; nothing is asked", 0 }
#define DEVICES { "device", "DEV", "look only at this device or image file, at no others", \
		  OPTION_REPEAT }

/* --- Sets ------------------------------------------------------------------------- */

static const struct option_spec create_options[] = {
	{ "data", "DEV", "the device that is to be kept usable", OPTION_REQUIRED },
	{ "spare", "DEV[,tier=N]", "a device for the blocks that move; lower tiers are used "
	  "first (0)", OPTION_REPEAT },
	{ "adopt", NULL, "leave the data where it is: nothing is written to the data device, "
	  "which is known by its serial number, WWN and partition from then on", 0 },
	{ "internal-spare", "SIZE", "use the end of the data device as a spare as well", 0 },
	{ "data-offset", "SIZE", "with --adopt: where the data begins on the device (0)", 0 },
	{ "block-size", "SIZE", "what moves as one: a power of two from 512 to 16K (4K, or "
	  "the device's logical block if that is larger)", 0 },
	{ "map-entries", "N", "room of the map (twice the spare blocks, at least 4000); it "
	  "can not grow", 0 },
	{ "no-start", NULL, "only make the set", 0 },
	DRY_RUN,
	{ "force", NULL, "use devices although they hold something, and destroy that", 0 },
	{},
};

static const struct example create_examples[] = {
	{ "create backup --data /dev/sdb --spare /dev/sdc1",
	  "A set of an empty disk and a partition of another one." },
	{ "create home --data /dev/sda3 --adopt --spare /dev/sdc2",
	  "Keep the file system on /dev/sda3; mount /dev/mapper/home from now on." },
	{ "create scratch --data /dev/sdd --internal-spare 2G --dry-run",
	  "Show what would be done with a disk that is to be its own spare." },
	{},
};

static const struct option_spec start_options[] = {
	{ "all", NULL, "start all sets that are complete", 0 },
	{ "auto", "DEV", "start the set of this device if all its members are there and it "
	  "does not run; else say why not, which is no failure. For udev and systemd", 0 },
	{ "data", "DEV", "the data device, where it is not to be searched for", 0 },
	{ "spare", "DEV", "look only at these spares (and --data), at no other device",
	  OPTION_REPEAT },
	{ "degraded", NULL, "start although spares are missing; blocks that live there "
	  "return errors", 0 },
	{},
};

static const struct example start_examples[] = {
	{ "start backup", "Find the members of the set and make /dev/mapper/backup." },
	{ "start backup --degraded", "The same without a spare that is lost." },
	{},
};

static const struct option_spec stop_options[] = {
	{ "all", NULL, "stop all sets that run", 0 },
	{},
};

static const struct example udev_examples[] = {
	{ "udev /dev/sdb", "What it is to dm-remap." },
	{},
};

static const struct example stop_examples[] = {
	{ "stop backup", "After its file system was unmounted." },
	{},
};

static const struct option_spec destroy_options[] = { DEVICES, DRY_RUN, FORCE_PLAN, {} };

static const struct example destroy_examples[] = {
	{ "destroy backup --dry-run", "Name the blocks that would be lost." },
	{},
};

static const struct option_spec device_options[] = { DEVICES, {} };
static const struct option_spec no_options[] = { {} };

static const struct example status_examples[] = {
	{ "status", "All sets." },
	{ "status backup --json", "One set, for a script." },
	{},
};

static const struct example list_examples[] = {
	{ "list", "One line for each set, running or not." },
	{},
};

static const struct example stats_examples[] = {
	{ "stats backup", "Which way the I/O went, and how long the disks take." },
	{},
};

static const struct option_spec check_options[] = {
	{ "warning", "PERCENT", "warn if fewer spare blocks than that are free (20, or what "
	  "status calls low)", 0 },
	{ "critical", "PERCENT", "critical if fewer are free than that (none)", 0 },
	{},
};

static const struct example check_examples[] = {
	{ "check", "The worst of all sets that run." },
	{ "check backup --warning 30 --critical 10", "One set, which is to run." },
	{},
};

/* --- Scrub ------------------------------------------------------------------------ */

#define WAIT { "wait", NULL, "show the progress until it ends; an interrupt ends the " \
	       "waiting, not the scrub", 0 }

static const struct option_spec scrub_start_options[] = {
	{ "range", "RANGE", "only these blocks (0-99 or 0+100), not all", 0 },
	WAIT,
	{},
};

static const struct example scrub_start_examples[] = {
	{ "scrub start backup --wait", "Find what can not be read before it is needed." },
	{},
};

static const struct option_spec scrub_wait_options[] = { WAIT, {} };

static const struct example scrub_resume_examples[] = {
	{ "scrub resume backup", "After a pause, or after the set was stopped meanwhile." },
	{},
};

static const struct example scrub_status_examples[] = {
	{ "scrub status backup", "How far it is, and what it has found." },
	{},
};

/* --- Events ----------------------------------------------------------------------- */

#define KIND { "kind", "KIND", "only these: read-error, write-error, lost, relocated, " \
	       "relocate-failed, healed, released, slow, spare-low, spare-full, spare-ok, " \
	       "spare-failed, spare-joined, spare-left, breaker-open, breaker-closed, " \
	       "frozen, activated, deactivated, policy, scrub or act", OPTION_REPEAT }
#define HISTORY { "history", "FILE", "read this history, not " \
		  "/var/lib/dm-remap/history.db", 0 }

static const struct option_spec event_list_options[] = {
	{ "since", "TIME", "from then on: \"2026-11-24 07:30\", 07:30, yesterday, 2h (ago)", 0 },
	{ "until", "TIME", "up to then", 0 },
	{ "last", "N", "only the newest so many", 0 },
	KIND,
	HISTORY,
	{},
};

static const struct example event_list_examples[] = {
	{ "event list --since yesterday", "What happened lately, to all sets." },
	{ "event list backup --kind lost --kind read-error", "What could not be read." },
	{},
};

static const struct option_spec event_follow_options[] = {
	{ "last", "N", "begin with so many of the past (10)", 0 },
	KIND,
	HISTORY,
	{},
};

static const struct example event_follow_examples[] = {
	{ "event follow", "Everything as it happens." },
	{ "event follow backup --json", "For a program: one JSON object a line." },
	{},
};

/* --- Spares ----------------------------------------------------------------------- */

static const struct option_spec spare_add_options[] = {
	DRY_RUN,
	{ "force", NULL, "use the device although it holds something, and destroy that", 0 },
	{},
};

static const struct example spare_add_examples[] = {
	{ "spare add backup /dev/sde1", "More room, at once and without a restart." },
	{ "spare add backup /dev/nvme0n1p4,tier=1", "Used when those of tier 0 are full." },
	{},
};

static const struct option_spec spare_remove_options[] = { DRY_RUN, FORCE_PLAN, {} };

static const struct example spare_remove_examples[] = {
	{ "spare remove backup /dev/sdc1", "By device." },
	{ "spare remove backup 2", "By its number in spare list." },
	{},
};

static const struct example spare_list_examples[] = {
	{ "spare list", "The spares of all sets." },
	{},
};

static const struct option_spec spare_label_options[] = {
	{ "domain", "NAME", "for sets of this domain only (for those without one)", 0 },
	{ "tier", "N", "lower tiers are used first (0)", 0 },
	DRY_RUN,
	{ "force", NULL, "use the device although it holds something, and destroy that", 0 },
	{},
};

static const struct example spare_label_examples[] = {
	{ "spare label /dev/sde1", "For whichever set runs low first." },
	{ "spare label /dev/nvme0n1p4 --domain archive --tier 1", "Not for all sets." },
	{},
};

static const struct option_spec dry_run_options[] = { DRY_RUN, {} };

static const struct example spare_unlabel_examples[] = {
	{ "spare unlabel /dev/sde1", "Nothing but the label is removed." },
	{},
};

/* --- Map -------------------------------------------------------------------------- */

#define UNREADABLE { "unreadable", NULL, "only blocks with lost sectors", 0 }
#define REMAPPED { "remapped", NULL, "only blocks that live on a spare", 0 }

static const struct option_spec map_list_options[] = { UNREADABLE, REMAPPED, DEVICES, {} };

static const struct example map_list_examples[] = {
	{ "map list backup", "All blocks that are remapped or have lost sectors." },
	{ "map list backup --unreadable", "What to restore from a backup." },
	{},
};

static const struct option_spec map_export_options[] = {
	{ "format", "FORMAT", "json (default), badblocks or ddrescue", 0 },
	{ "output", "FILE", "write to this new file, not to standard output", 0 },
	{ "block-size", "SIZE", "badblocks: what one number counts (1K)", 0 },
	UNREADABLE,
	REMAPPED,
	{ "raw", NULL, "count from the start of the data device, not of the data", 0 },
	DEVICES,
	{ "force", NULL, "write over an existing file", 0 },
	{},
};

static const struct example map_export_examples[] = {
	{ "map export backup --format badblocks --block-size 4K --output bad.txt",
	  "A list for \"e2fsck -l bad.txt\" or \"mke2fs -l bad.txt\"." },
	{},
};

static const struct option_spec map_import_options[] = {
	{ "format", "FORMAT", "auto (default), badblocks, ddrescue or json", 0 },
	{ "as", "WHAT", "relocate (default): move the blocks to a spare while they can be "
	  "read; unreadable: record the sectors as lost without touching the medium", 0 },
	{ "block-size", "SIZE", "badblocks: what one number counts (1K)", 0 },
	{ "statuses", "CHARS", "ddrescue: which areas count (*/-, or ?*/- with --as "
	  "unreadable)", 0 },
	{ "raw", NULL, "the list counts from the start of the data device, not of the data", 0 },
	DEVICES,
	DRY_RUN,
	{ "force", NULL, "agree to sectors that read as errors; nothing is asked", 0 },
	{},
};

static const struct example map_import_examples[] = {
	{ "map import backup bad.txt --block-size 4K",
	  "Move away what \"badblocks -b 4096 /dev/mapper/backup\" has found. If it was run on "
	  "the data device itself, add --raw." },
	{ "map import rescued disk.map --as unreadable",
	  "After ddrescue has copied a failing disk into the set: what it could not copy "
	  "reads as an error, not as zeros." },
	{},
};

static const struct option_spec range_options[] = {
	{ "block", NULL, "ranges are in blocks of the set (default)", 0 },
	{ "sector", NULL, "ranges are in sectors of 512 bytes", 0 },
	{ "raw", NULL, "with --sector: count from the start of the data device, not of the data",
	  0 },
	{},
};

static const struct example map_relocate_examples[] = {
	{ "map relocate backup 4711 5000-5099", "Two ranges of blocks." },
	{ "map relocate backup --sector --raw 976773120+8",
	  "Eight sectors of the data device, from a message of the kernel about it." },
	{},
};

static const struct example map_release_examples[] = {
	{ "map release backup 4711", "Try the data device again for this block." },
	{},
};

/* --- Policy ----------------------------------------------------------------------- */

static const struct example policy_show_examples[] = {
	{ "policy show backup", "All values." },
	{},
};

static const struct example policy_set_examples[] = {
	{ "policy set backup retries=3 heal=spare", "Both survive a restart." },
	{},
};

/* --- Metadata --------------------------------------------------------------------- */

static const struct option_spec metadata_show_options[] = {
	{ "frames", NULL, "list every frame that is not empty", 0 },
	DEVICES,
	{},
};

static const struct example metadata_show_examples[] = {
	{ "metadata show backup", "The set as its disks describe it." },
	{},
};

static const struct option_spec metadata_verify_options[] = {
	DEVICES,
	{ "backup", "FILE", "check a backup file instead", 0 },
	{},
};

static const struct example metadata_verify_examples[] = {
	{ "metadata verify", "Read and judge the metadata of all sets." },
	{ "metadata verify --device disk.img --device spare.img", "Of image files." },
	{ "metadata verify --backup backup.dmr", "Of a backup." },
	{},
};

static const struct example metadata_backup_examples[] = {
	{ "metadata backup backup /media/usb/backup.dmr", "To another disk, of course." },
	{},
};

static const struct option_spec plan_options[] = { DEVICES, DRY_RUN, FORCE_PLAN, {} };

static const struct example metadata_restore_examples[] = {
	{ "metadata restore backup /media/usb/backup.dmr --dry-run",
	  "What would change, and what would be lost." },
	{},
};

static const struct option_spec metadata_restore_anchors_options[] = {
	{ "member", "NUMBER|UUID", "it is this member, though nothing on it proves that", 0 },
	DRY_RUN, FORCE_PLAN, {}
};

static const struct example metadata_restore_anchors_examples[] = {
	{ "metadata restore-anchors /dev/sdb /media/usb/backup.dmr --dry-run",
	  "Which member it was." },
	{},
};

static const struct example metadata_repair_examples[] = {
	{ "metadata repair backup", "After metadata verify has told of damaged copies." },
	{},
};

/* --- Doctor ----------------------------------------------------------------------- */

static const struct option_spec doctor_options[] = {
	DEVICES,
	{ "data", "DEV", "", OPTION_HIDDEN },
	{ "root", "DIR", "", OPTION_HIDDEN },
	{},
};

static const struct example doctor_examples[] = {
	{ "doctor", "Look at everything, and exit with 1 if something needs care." },
	{},
};

/* --- The table -------------------------------------------------------------------- */

const struct command commands[] = {
	{
		.name = "create", .args = "NAME", .min_args = 1, .max_args = 1,
		.summary = "Make a set and start it",
		.details =
			"Writes the metadata of a new set and starts it, so that it can be used "
			"as /dev/mapper/NAME. The data device gets a header, and the data begins "
			"behind it; with --adopt it is not written to and keeps what it holds.\n\n"
			"Devices that hold something are refused by name, devices in use always. "
			"Sizes are in bytes, with units of 1024 (4K, 20G), or in sectors (8s).",
		.options = create_options, .examples = create_examples, .run = cmd_create,
	},
	{
		.name = "start", .args = "NAME|--all|--auto DEV", .max_args = 1,
		.summary = "Start a set, or all of them",
		.details =
			"Finds the members of the set by what is written on them and checks that "
			"they belong together and are up to date. If not, nothing is started and "
			"the reason is told. NAME may be the UUID of the set.",
		.options = start_options, .examples = start_examples, .run = cmd_start,
	},
	{
		.name = "stop", .args = "NAME|--all", .max_args = 1,
		.summary = "Stop a set, or all of them",
		.details = "The device must not be in use. Nothing is lost.",
		.options = stop_options, .examples = stop_examples, .run = cmd_stop,
	},
	{
		.name = "destroy", .args = "NAME", .min_args = 1, .max_args = 1,
		.summary = "Take a set apart for good",
		.details =
			"Wipes the metadata off the members of a stopped set. The content of "
			"blocks that live on spares is lost then; they are named, and --force is "
			"needed.",
		.options = destroy_options, .examples = destroy_examples, .run = cmd_destroy,
	},
	{
		.name = "status", .args = "[NAME]", .max_args = 1,
		.summary = "State, reason and next action of a set",
		.details =
			"A running set is asked through the module, which reads no disk. Without "
			"NAME all sets are shown; to find those that do not run, disks are read.",
		.options = device_options, .examples = status_examples, .run = cmd_status,
	},
	{
		.name = "list", .args = "", .max_args = 0,
		.summary = "One line for each set, running or not",
		.options = device_options, .examples = list_examples, .run = cmd_list,
	},
	{
		.name = "stats", .args = "[NAME]", .max_args = 1,
		.summary = "I/O, errors and latencies since the start",
		.details =
			"I/O is counted by the way it went: direct to the data device; remapped to "
			"a spare; unreadable, which is answered with an error at once; deferred, "
			"which waited for a block that was being moved or repeated. Latencies are "
			"those of the devices, of I/O that is measured: see the policy sample.",
		.options = no_options, .examples = stats_examples, .run = cmd_stats,
	},
	{
		.name = "check", .args = "[NAME]", .max_args = 1,
		.summary = "One line and an exit status for Nagios and its like",
		.details =
			"Prints the state, the reasons, and performance data. Exits with 0 if all "
			"is well, 1 for a warning, 2 if something is critical and 3 if nothing can "
			"be told. Without NAME it is the worst of the sets that run. With NAME that set "
			"has to run: it is critical (2) if it does not, and unknown (3) if no such set "
			"was found. A set that runs is asked through the module, which wakes no disk; "
			"for one that does not, disks are read.",
		.options = check_options, .examples = check_examples, .run = cmd_check,
		.plugin = true,
	},
	{
		.name = "spare add", .args = "NAME DEV[,tier=N]", .min_args = 2, .max_args = 2,
		.summary = "Give a set another spare",
		.details =
			"A running set takes it at once; it joins a stopped one at the next start.",
		.options = spare_add_options, .examples = spare_add_examples,
		.run = cmd_spare_add,
	},
	{
		.name = "spare remove", .args = "NAME DEV|NUMBER|UUID", .min_args = 2, .max_args = 2,
		.summary = "Move everything off a spare and take it out",
		.details =
			"Blocks that live there move to the other spares first. If those have no "
			"room the spare stays, and so does everything on it.",
		.options = spare_remove_options, .examples = spare_remove_examples,
		.run = cmd_spare_remove,
	},
	{
		.name = "spare list", .args = "[NAME]", .max_args = 1,
		.summary = "Spares with their fill",
		.options = device_options, .examples = spare_list_examples,
		.run = cmd_spare_list,
	},
	{
		.name = "spare label", .args = "DEV", .min_args = 1, .max_args = 1,
		.summary = "Let the daemon use a device as a spare",
		.details =
			"Writes a label, which dmremapd looks for when a set runs low. A device "
			"without one is never taken by itself.",
		.options = spare_label_options, .examples = spare_label_examples,
		.run = cmd_spare_label,
	},
	{
		.name = "spare unlabel", .args = "DEV", .min_args = 1, .max_args = 1,
		.summary = "Take the label off a device again",
		.options = dry_run_options, .examples = spare_unlabel_examples,
		.run = cmd_spare_unlabel,
	},
	{
		.name = "scrub start", .args = "NAME", .min_args = 1, .max_args = 1,
		.summary = "Read everything, to find what can not be read",
		.details =
			"The module reads in the background, at the rate of the policy (scrub-rate) "
			"and slower while others do I/O. Nothing is written but the map. A scrub "
			"that was interrupted by a stop of the set is continued by scrub resume.",
		.options = scrub_start_options, .examples = scrub_start_examples,
		.run = cmd_scrub_start,
	},
	{
		.name = "scrub pause", .args = "NAME", .min_args = 1, .max_args = 1,
		.summary = "Stop a scrub where it is",
		.options = no_options, .run = cmd_scrub_pause,
	},
	{
		.name = "scrub resume", .args = "NAME", .min_args = 1, .max_args = 1,
		.summary = "Go on with a scrub",
		.options = scrub_wait_options, .examples = scrub_resume_examples,
		.run = cmd_scrub_resume,
	},
	{
		.name = "scrub cancel", .args = "NAME", .min_args = 1, .max_args = 1,
		.summary = "End a scrub and forget how far it was",
		.options = no_options, .run = cmd_scrub_cancel,
	},
	{
		.name = "scrub status", .args = "[NAME]", .max_args = 1,
		.summary = "Progress, rate and findings of scrubs",
		.options = scrub_wait_options, .examples = scrub_status_examples,
		.run = cmd_scrub_status,
	},
	{
		.name = "event list", .args = "[NAME]", .max_args = 1,
		.summary = "What happened, from the history that the daemon keeps",
		.details =
			"What the module told, and what the daemon did and told people (of kind act, "
			"shown by its own name).",
		.options = event_list_options, .examples = event_list_examples,
		.run = cmd_event_list,
	},
	{
		.name = "event follow", .args = "[NAME]", .max_args = 1,
		.summary = "The last events, and then what happens now",
		.details =
			"Goes on until it is interrupted. What happens now is heard from the module, "
			"with no daemon; what has happened, and what the daemon does, is looked for in "
			"the history. With --json "
			"each event is one object on a line of its own.",
		.options = event_follow_options, .examples = event_follow_examples,
		.run = cmd_event_follow,
	},
	{
		.name = "map list", .args = "NAME", .min_args = 1, .max_args = 1,
		.summary = "Blocks that are remapped or have lost sectors",
		.details =
			"Neighbours that lie side by side on the spare are one line. LOST counts "
			"the sectors that have no content; MASK has a bit for each of them in a "
			"block.",
		.options = map_list_options, .examples = map_list_examples, .run = cmd_map_list,
	},
	{
		.name = "map export", .args = "NAME", .min_args = 1, .max_args = 1,
		.summary = "Write the map in a format of other tools",
		.details =
			"badblocks: one number per line, as badblocks(8) prints them. ddrescue: a "
			"map file with what is chosen as \"-\" and all else as \"+\". json: ours, "
			"which map import reads as well. Without --unreadable or --remapped both "
			"are written.",
		.options = map_export_options, .examples = map_export_examples,
		.run = cmd_map_export,
	},
	{
		.name = "map import", .args = "NAME FILE", .min_args = 2, .max_args = 2,
		.summary = "Act on a list of blocks made by another tool",
		.details =
			"Reads the whole list and refuses it if a line is wrong or lies outside "
			"the set. FILE may be \"-\" with --format. An import that was interrupted "
			"is continued by the same command.",
		.options = map_import_options, .examples = map_import_examples,
		.run = cmd_map_import,
	},
	{
		.name = "map relocate", .args = "NAME RANGE...", .min_args = 2, .max_args = -1,
		.summary = "Move blocks to a spare while they can be read",
		.details =
			"A range is a number (7), first and last (7-12), or first and count (7+6). "
			"Sectors that can not be read are recorded as lost. Interrupted, the same "
			"command goes on: what has moved stays.",
		.options = range_options, .examples = map_relocate_examples,
		.run = cmd_map_relocate,
	},
	{
		.name = "map release", .args = "NAME RANGE...", .min_args = 2, .max_args = -1,
		.summary = "Move blocks back, and test lost ones again",
		.details =
			"A block moves back only if the data device takes it: it is written in "
			"place and read back. Sectors of a lost block that can be read again are "
			"believed again. Ranges are as for map relocate.",
		.options = range_options, .examples = map_release_examples,
		.run = cmd_map_release,
	},
	{
		.name = "policy show", .args = "NAME", .min_args = 1, .max_args = 1,
		.summary = "What the module does, on errors above all",
		.options = device_options, .examples = policy_show_examples,
		.run = cmd_policy_show,
	},
	{
		.name = "policy set", .args = "NAME KEY=VALUE...", .min_args = 2, .max_args = -1,
		.summary = "Change what the module does, durably",
		.details =
			"heal=in-place|spare: where a lost block goes when it is written; in-place "
			"tries the data device first.\n\n"
			"unreadable=fail|retry: whether reads of lost sectors fail at once or try "
			"the medium.\n\n"
			"ioerr=probe|pass: whether an error of no class is taken for a bad block if it "
			"fails again while other places work, or passed up.\n\n"
			"retries=0..10: more tries of an I/O that failed.\n\n"
			"slow-ms=0..600000: an I/O that takes longer is slow; 0: none is.\n\n"
			"sample=0..65536: one of so many I/Os is measured for stats; 0: none.\n\n"
			"breaker-streak=1..4096: so many bad blocks in a row need proof that the "
			"device as a whole works.\n\n"
			"breaker-ms=100..600000: while all fails, look so often whether it is back.\n\n"
			"relocate-rate=N: blocks a second that may be moved on request; 0: no limit.\n\n"
			"scrub-rate=N: KiB a second that a scrub reads, at least 64.\n\n"
			"spare-low=0..100: an event is told if fewer percent of spare blocks are free."
			"\n\n"
			"lifetime=0..31536000: seconds after which unreadable and retries go back to "
			"their defaults unless a policy was set meanwhile; 0: never.",
		.options = no_options, .examples = policy_set_examples, .run = cmd_policy_set,
	},
	{
		.name = "metadata show", .args = "[NAME]", .max_args = 1,
		.summary = "What the disks say about a set",
		.options = metadata_show_options, .examples = metadata_show_examples,
		.run = cmd_metadata_show,
	},
	{
		.name = "metadata verify", .args = "[NAME]", .max_args = 1,
		.summary = "Read and judge all metadata",
		.details = "Exits with 1 if anything is damaged or missing.",
		.options = metadata_verify_options, .examples = metadata_verify_examples,
		.run = cmd_metadata_verify,
	},
	{
		.name = "metadata backup", .args = "NAME FILE", .min_args = 2, .max_args = 2,
		.summary = "Copy the metadata to a file, and check it",
		.options = device_options, .examples = metadata_backup_examples,
		.run = cmd_metadata_backup,
	},
	{
		.name = "metadata restore", .args = "NAME FILE", .min_args = 2, .max_args = 2,
		.summary = "Put the map of a backup onto the members",
		.details =
			"For a stopped set whose map is damaged on all members. A map on the disks "
			"that is newer than the backup is kept unless --force is given.",
		.options = plan_options, .examples = metadata_restore_examples,
		.run = cmd_metadata_restore,
	},
	{
		.name = "metadata restore-anchors", .args = "DEV FILE", .min_args = 2,
		.max_args = 2,
		.summary = "Make a device a member again, from a backup",
		.details =
			"For a disk whose beginning was overwritten by mistake, so that no tool knows "
			"it any more: both of its anchors are gone. What is left of the map on it tells "
			"which member it is.",
		.options = metadata_restore_anchors_options,
		.examples = metadata_restore_anchors_examples,
		.run = cmd_metadata_restore_anchors,
	},
	{
		.name = "metadata repair", .args = "NAME", .min_args = 1, .max_args = 1,
		.summary = "Write damaged copies again from good ones",
		.details = "For a stopped set. Needs one good copy of everything.",
		.options = plan_options, .examples = metadata_repair_examples,
		.run = cmd_metadata_repair,
	},
	{
		.name = "udev", .args = "DEV", .min_args = 1, .max_args = 1,
		.summary = "Print what udev's rules need to know of a device",
		.details =
			"Prints properties as KEY=VALUE lines, and nothing for a device that is not "
			"dm-remap's; with --json an object in which all is null then. A data device that was adopted carries nothing that shows it; it "
			"is told while its set runs, and by its serial number, WWN or partition UUID as "
			"noted in /etc/dm-remap/adopted, a file for each such set that this machine "
			"has seen. Destroying the set removes that file.",
		.options = no_options, .examples = udev_examples, .run = cmd_udev,
	},
	{
		.name = "doctor", .args = "[NAME]", .max_args = 1,
		.summary = "Find what keeps sets from working, and what to do",
		.details =
			"Checks device-mapper, the module, Secure Boot, and all sets with their "
			"members. Exits with 0 if nothing needs care, else with 1.",
		.options = doctor_options, .examples = doctor_examples, .run = cmd_doctor,
	},
	{},
};
