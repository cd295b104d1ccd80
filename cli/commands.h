/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs for each row of the command table. Each returns an exit code and
 * has said what failed.
 */
#ifndef DMREMAP_COMMANDS_H
#define DMREMAP_COMMANDS_H

struct invocation;

/* cmd-create.c */
int cmd_create(struct invocation *inv);

/* cmd-destroy.c */
int cmd_destroy(struct invocation *inv);

/* cmd-start.c */
int cmd_start(struct invocation *inv);
int cmd_stop(struct invocation *inv);

/* cmd-status.c */
int cmd_status(struct invocation *inv);
int cmd_list(struct invocation *inv);

/* cmd-stats.c */
int cmd_stats(struct invocation *inv);

/* cmd-check.c */
int cmd_check(struct invocation *inv);

/* cmd-spare.c */
int cmd_spare_add(struct invocation *inv);
int cmd_spare_remove(struct invocation *inv);
int cmd_spare_list(struct invocation *inv);

/* cmd-label.c */
int cmd_spare_label(struct invocation *inv);
int cmd_spare_unlabel(struct invocation *inv);

/* cmd-scrub.c */
int cmd_scrub_start(struct invocation *inv);
int cmd_scrub_pause(struct invocation *inv);
int cmd_scrub_resume(struct invocation *inv);
int cmd_scrub_cancel(struct invocation *inv);
int cmd_scrub_status(struct invocation *inv);

/* cmd-event.c, cmd-follow.c */
int cmd_event_list(struct invocation *inv);
int cmd_event_follow(struct invocation *inv);

/* cmd-map.c */
int cmd_map_list(struct invocation *inv);
int cmd_map_relocate(struct invocation *inv);
int cmd_map_release(struct invocation *inv);

/* cmd-transfer.c */
int cmd_map_export(struct invocation *inv);
int cmd_map_import(struct invocation *inv);

/* cmd-policy.c */
int cmd_policy_show(struct invocation *inv);
int cmd_policy_set(struct invocation *inv);

/* cmd-metadata.c */
int cmd_metadata_show(struct invocation *inv);
int cmd_metadata_verify(struct invocation *inv);

/* cmd-backup.c */
int cmd_metadata_backup(struct invocation *inv);
int cmd_metadata_restore(struct invocation *inv);
int cmd_metadata_restore_anchors(struct invocation *inv);
int cmd_metadata_repair(struct invocation *inv);

/* cmd-udev.c */
int cmd_udev(struct invocation *inv);

/* cmd-doctor.c */
int cmd_doctor(struct invocation *inv);

#endif /* DMREMAP_COMMANDS_H */
