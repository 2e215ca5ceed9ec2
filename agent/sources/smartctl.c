/* SPDX-License-Identifier: Apache-2.0 */
#include "smart.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#define LARGEST 9007199254740992.0 /* what a double counts to */

/* Numbers are read as doubles, since a counter of NVMe has 128 bits and jansson
 * refuses a text with an integer that does not fit. */
#define FLAGS JSON_DECODE_INT_AS_REAL

/* "smart_status.passed": from object to object. */
static const json_t *at(const json_t *from, const char *path)
{
	while (from && *path) {
		char key[48];
		size_t length = strcspn(path, ".");
		snprintf(key, sizeof key, "%.*s", (int)length, path);
		from = json_object_get(from, key);
		path += length + (path[length] == '.');
	}
	return from;
}

static int64_t number_at(const json_t *from, const char *path)
{
	const json_t *value = at(from, path);
	if (json_is_boolean(value))
		return json_is_true(value);
	double number = json_is_number(value) ? json_number_value(value) : -1;
	return number >= -1e9 && number <= LARGEST && json_is_number(value) ? (int64_t)number
									    : SMART_NONE;
}

static const char *text_at(const json_t *from, const char *path)
{
	const char *text = json_string_value(at(from, path));
	return text ? text : "";
}

/* ---- the report ---- */

static void read_identity(struct smart_report *r, const json_t *root)
{
	int64_t naa = number_at(root, "wwn.naa"), oui = number_at(root, "wwn.oui");
	int64_t id = number_at(root, "wwn.id");
	r->type = text_at(root, "device.type");
	r->family = text_at(root, "model_family");
	r->model = text_at(root, "model_name");
	r->serial = text_at(root, "serial_number");
	r->firmware = text_at(root, "firmware_version");
	r->vendor = text_at(root, "vendor");
	r->product = text_at(root, "product");
	r->revision = text_at(root, "revision");
	if (r->vendor[0] == '\0') /* newer ones write scsi_ before these */
		r->vendor = text_at(root, "scsi_vendor");
	if (r->product[0] == '\0')
		r->product = text_at(root, "scsi_product");
	if (r->revision[0] == '\0')
		r->revision = text_at(root, "scsi_revision");
	snprintf(r->lun_id, sizeof r->lun_id, "%s", text_at(root, "logical_unit_id"));
	if (naa >= 0 && oui >= 0 && id >= 0)
		snprintf(r->lun_id, sizeof r->lun_id, "%" PRIx64 " %06" PRIx64 " %09" PRIx64, naa,
			oui, id);
}

/* smartctl before 7.3 tells of support by what it gives. */
static void read_support(struct smart_report *r, const json_t *root)
{
	bool gives = at(root, "smart_status") || at(root, "ata_smart_attributes") ||
		at(root, "nvme_smart_health_information_log");
	r->available = number_at(root, "smart_support.available");
	r->enabled = number_at(root, "smart_support.enabled");
	if (r->available == SMART_NONE)
		r->available = gives;
	if (r->enabled == SMART_NONE)
		r->enabled = r->available && gives;
	r->healthy = number_at(root, "smart_status.passed");
}

/* Of a disk without SMART smartctl gives a temperature of 0 as well. */
static void read_numbers(struct smart_report *r, const json_t *root)
{
	if (r->available == 0)
		root = NULL;
	r->temperature = number_at(root, "temperature.current");
	r->power_on_hours = number_at(root, "power_on_time.hours");
	r->start_stops =
		number_at(root, "scsi_start_stop_cycle_counter.accumulated_start_stop_cycles");
	r->grown_defects = number_at(root, "scsi_grown_defect_list");
}

static void read_nvme(struct smart_report *r, const json_t *root)
{
	const json_t *log = at(root, "nvme_smart_health_information_log");
	r->is_nvme = json_is_object(log);
	r->nvme = (struct smart_nvme){
		.spare = number_at(log, "available_spare"),
		.spare_threshold = number_at(log, "available_spare_threshold"),
		.used = number_at(log, "percentage_used"),
		.warning = number_at(log, "critical_warning"),
		.media_errors = number_at(log, "media_errors"),
		.units_read = number_at(log, "data_units_read"),
		.units_written = number_at(log, "data_units_written"),
		.hours = number_at(log, "power_on_hours"),
		.unsafe_shutdowns = number_at(log, "unsafe_shutdowns"),
		.log_entries = number_at(log, "num_err_log_entries"),
	};
}

/* Bit 0 of its exit status is a command line that it refuses, a USB bridge that it does
 * not know among them; bit 1 a disk that it could not open, or that sleeps. */
static int read_status(struct smart_report *r, const json_t *root, struct fw_err *err)
{
	enum { COMMAND_LINE = 1, NOT_OPENED = 2 };
	int64_t status = number_at(root, "smartctl.exit_status");
	const json_t *messages = at(root, "smartctl.messages");
	const char *sentence = text_at(json_array_get(messages, 0), "string");
	if (status == SMART_NONE)
		return fw_fail(err, -EIO, "smartctl does not say how it ended");
	r->asleep = status & NOT_OPENED && strncmp(sentence, "Device is in ", 13) == 0;
	if (status & NOT_OPENED && !r->asleep)
		return fw_fail(err, -EIO, "%s", sentence);
	return 0;
}

int smart_parse(const struct fw_buf *text, struct smart_report **out, struct fw_err *err)
{
	json_t *root = json_loadb((const char *)text->data, text->length, FLAGS, NULL);
	if (!json_is_object(root) || !at(root, "smartctl")) {
		json_decref(root);
		return fw_fail(
			err, -ENOTSUP, "smartctl printed no JSON; 7.0 is the first that does");
	}
	struct smart_report *r = fw_alloc(sizeof *r);
	r->json = root;
	read_identity(r, root);
	read_support(r, root);
	read_numbers(r, root);
	r->read_at_s = number_at(root, "local_time.time_t");
	read_nvme(r, root);
	int rc = read_status(r, root, err);
	if (rc < 0) {
		smart_free(r);
		return rc;
	}
	*out = r;
	return 0;
}

void smart_free(struct smart_report *report)
{
	if (!report)
		return;
	json_decref(report->json);
	fw_free(report);
}

/* ---- attributes ---- */

/* "Reallocated_Sector_Ct", "End-to-End_Error" */
static void copy_name(char *out, size_t size, const char *name)
{
	size_t n = 0;
	for (; *name && n + 1 < size; name++)
		out[n++] = *name == '-' ? '_' : (char)tolower((unsigned char)*name);
	out[n] = '\0';
}

/* What a person reads: of "33 (Min/Max 20/45)" the 33, where the number itself packs all three. */
static int64_t raw_of(const json_t *row)
{
	const char *text = text_at(row, "raw.string");
	struct fw_cursor c = {text, text + strlen(text)};
	int64_t value;
	return fw_cut_i64(&c, &value) ? value : number_at(row, "raw.value");
}

void smart_attributes(const struct smart_report *report,
	void (*each)(const struct smart_attribute *attribute, void *arg), void *arg)
{
	const json_t *table = at(report->json, "ata_smart_attributes.table");
	size_t i;
	json_t *row;
	json_array_foreach(table, i, row)
	{
		struct smart_attribute a = {
			.value = number_at(row, "value"),
			.worst = number_at(row, "worst"),
			.threshold = number_at(row, "thresh"),
			.raw = raw_of(row),
		};
		int64_t id = number_at(row, "id");
		if (id < 1 || id > 255)
			continue;
		a.id = (unsigned)id;
		copy_name(a.name, sizeof a.name, text_at(row, "name"));
		each(&a, arg);
	}
}
