/* What smartctl prints with --json, taken apart.
 *
 * Only what the source smart sends. A number that is not there is SMART_NONE and a
 * text "". Texts belong to the report.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

#define SMART_NONE INT64_MIN

struct smart_nvme {
	int64_t spare, spare_threshold, used; /* percent */
	int64_t warning, media_errors, units_read, units_written, hours, unsafe_shutdowns,
		log_entries;
};

struct smart_report {
	void *json;
	bool asleep; /* smartctl left the disk alone, and the rest is empty */
	bool is_nvme;
	const char *type, *family, *model, *serial, *firmware; /* type: "sat", "scsi", "nvme" */
	const char *vendor, *product, *revision;               /* of SCSI disks alone */
	char lun_id[40];
	int64_t available, enabled, healthy; /* 0 or 1 */
	int64_t temperature, power_on_hours, start_stops, grown_defects, read_at_s;
	struct smart_nvme nvme;
};

struct smart_attribute {
	char name[32]; /* in lower case, with _ for - */
	unsigned id;
	int64_t value, worst, threshold, raw;
};

/* -ENOTSUP: no JSON, as smartctl before 7.0 prints; -EIO with smartctl's own sentence
 * where it could not open the disk. */
int smart_parse(const struct fw_buf *text, struct smart_report **out, struct fw_err *err);
void smart_free(struct smart_report *report);
void smart_attributes(const struct smart_report *report,
	void (*each)(const struct smart_attribute *attribute, void *arg), void *arg);
