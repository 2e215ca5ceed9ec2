/* The work behind each code, with whatever rights this process has. */
#pragma once

#include "facts.h"

int disks_list(struct machine *m, struct facts_disks *out);
int disk_power(struct machine *m, const struct facts_disk *disk, enum facts_power *out);
/* What the two questions bring back: a register, sense data. */
enum facts_power disk_power_of_ata(uint8_t count);
enum facts_power disk_power_of_scsi(const uint8_t *sense, size_t length);
/* Runs smartctl, and does not where the disk sleeps or is idle: -EHOSTDOWN. */
int disk_smart(
	struct machine *m, const char *smartctl, const struct facts_disk *disk, struct fw_buf *out);
int libraries_find(struct machine *m, struct fw_buf *body);
int ruleset_count(struct machine *m, struct facts_ruleset *out);
