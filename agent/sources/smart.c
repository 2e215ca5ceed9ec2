/* SPDX-License-Identifier: Apache-2.0 */
/* What disks say of their health, by smartctl and through the helper fenwatch-facts.
 *
 * A disk that sleeps or is idle is left alone: what it said last, in DATA/smart/NAME,
 * goes on being told with its date, fenwatch_smart_read_timestamp_seconds. The names
 * are those of smartmon.sh, of nvme_metrics.sh and, as far as public rules use them,
 * of smartctl_exporter.
 */
#include "smart.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "../facts/facts.h"
#include "parse.h"

/* Attributes of ATA disks by smartctl's names for them. */
#define ATTRIBUTES(X)              \
	X(airflow_temperature_cel) \
	X(command_timeout)         \
	X(current_pending_sector)  \
	X(end_to_end_error)        \
	X(erase_fail_count)        \
	X(g_sense_error_rate)      \
	X(hardware_ecc_recovered)  \
	X(host_reads_32mib)        \
	X(host_reads_mib)          \
	X(host_writes_32mib)       \
	X(host_writes_mib)         \
	X(load_cycle_count)        \
	X(media_wearout_indicator) \
	X(nand_writes_1gib)        \
	X(offline_uncorrectable)   \
	X(percent_lifetime_remain) \
	X(power_cycle_count)       \
	X(power_on_hours)          \
	X(program_fail_cnt_total)  \
	X(program_fail_count)      \
	X(raw_read_error_rate)     \
	X(reallocated_event_count) \
	X(reallocated_sector_ct)   \
	X(reported_uncorrect)      \
	X(runtime_bad_block)       \
	X(sata_downshift_count)    \
	X(seek_error_rate)         \
	X(spin_retry_count)        \
	X(spin_up_time)            \
	X(start_stop_count)        \
	X(temperature_case)        \
	X(temperature_celsius)     \
	X(temperature_internal)    \
	X(total_lbas_read)         \
	X(total_lbas_written)      \
	X(udma_crc_error_count)    \
	X(unsafe_shutdown_count)   \
	X(unused_rsvd_blk_cnt_tot) \
	X(wear_leveling_count)     \
	X(workld_host_reads_perc)  \
	X(workld_media_wear_indic) \
	X(workload_minutes)

enum attribute {
#define PLACE(name) ATTRIBUTE_##name,
	ATTRIBUTES(PLACE)
#undef PLACE
		ATTRIBUTES_COUNT
};

static const char *const attribute_names[] = {
#define NAME(name) #name,
	ATTRIBUTES(NAME)
#undef NAME
};

enum { VALUE, WORST, THRESHOLD, RAW_VALUE, PARTS };

enum {
	INFO = PARTS * ATTRIBUTES_COUNT,
	ACTIVE,
	AVAILABLE,
	ENABLED,
	HEALTHY,
	GROWN_DEFECTS,
	NVME_INFO,
	NVME_SPARE,
	NVME_SPARE_THRESHOLD,
	NVME_USED,
	NVME_WARNING,
	NVME_TEMPERATURE,
	NVME_MEDIA_ERRORS,
	NVME_READ,
	NVME_WRITTEN,
	NVME_HOURS,
	NVME_UNSAFE,
	NVME_LOG,
	CTL_TEMPERATURE,
	CTL_STATUS,
	CTL_WARNING,
	CTL_MEDIA_ERRORS,
	CTL_SPARE,
	CTL_SPARE_THRESHOLD,
	READ_AT,
	OK,
	METRICS
};

static const struct metric metrics[METRICS] = {
#define ROWS(name)                                                                              \
	[PARTS * ATTRIBUTE_##name +                                                             \
		VALUE] = {"smartmon_" #name "_value", FW_GAUGE, "",                             \
		"SMART attribute " #name ", normalised by the disk.", 0, 1},                    \
		[PARTS * ATTRIBUTE_##name + WORST] = {"smartmon_" #name "_worst", FW_GAUGE, "", \
			"SMART attribute " #name ", the worst there was.", 0, 1},               \
		[PARTS * ATTRIBUTE_##name + THRESHOLD] = {"smartmon_" #name "_threshold",       \
			FW_GAUGE, "", "SMART attribute " #name ", failed at or below this.", 0, \
			1},                                                                     \
		[PARTS * ATTRIBUTE_##name + RAW_VALUE] = {"smartmon_" #name "_raw_value",       \
			FW_GAUGE, "", "SMART attribute " #name ", as the disk counts.", 0, 1},
	ATTRIBUTES(ROWS)
#undef ROWS
		[INFO] = {"smartmon_device_info", FW_GAUGE, "", "The disk's identity, in labels.",
			0, 1},
	[ACTIVE] = {"smartmon_device_active", FW_GAUGE, "",
		"0 where the disk sleeps or is idle and was left alone.", 0, 1},
	[AVAILABLE] = {"smartmon_device_smart_available", FW_GAUGE, "",
		"Whether the disk has SMART, as far as it can be asked.", 0, 1},
	[ENABLED] = {"smartmon_device_smart_enabled", FW_GAUGE, "", "Whether SMART is on.", 0, 1},
	[HEALTHY] = {"smartmon_device_smart_healthy", FW_GAUGE, "",
		"0 where the disk itself says that it fails.", 0, 1},
	[GROWN_DEFECTS] = {"smartmon_grown_defects_count_raw_value", FW_GAUGE, "",
		"Elements in a SCSI disk's grown defect list.", 0, 1},
	[NVME_INFO] = {"nvme_device_info", FW_GAUGE, "", "The device's identity, in labels.", 0, 1},
	[NVME_SPARE] = {"nvme_available_spare_ratio", FW_GAUGE, "",
		"Spare capacity that remains, of 1.", 2, 1},
	[NVME_SPARE_THRESHOLD] = {"nvme_available_spare_threshold_ratio", FW_GAUGE, "",
		"At or below this spare capacity the device warns.", 2, 1},
	[NVME_USED] = {"nvme_percentage_used_ratio", FW_GAUGE, "",
		"Life used by the maker's estimate; may pass 1.", 2, 1},
	[NVME_WARNING] = {"nvme_critical_warning", FW_GAUGE, "",
		"The device's critical warnings, as bits; 0: none.", 0, 1},
	[NVME_TEMPERATURE] = {"nvme_temperature_celsius", FW_GAUGE, "celsius",
		"Temperature of the device.", 0, 1},
	[NVME_MEDIA_ERRORS] = {"nvme_media_errors_total", FW_COUNTER, "",
		"Errors of data integrity that were not recovered.", 0, 1},
	[NVME_READ] = {"nvme_data_units_read_total", FW_COUNTER, "", "Units of 512,000 bytes read.",
		0, 1},
	[NVME_WRITTEN] = {"nvme_data_units_written_total", FW_COUNTER, "",
		"Units of 512,000 bytes written.", 0, 1},
	[NVME_HOURS] = {"nvme_power_on_hours_total", FW_COUNTER, "", "Hours powered on.", 0, 1},
	[NVME_UNSAFE] = {"nvme_unsafe_shutdowns_total", FW_COUNTER, "",
		"Power losses without notice.", 0, 1},
	[NVME_LOG] = {"nvme_num_err_log_entries_total", FW_COUNTER, "",
		"Entries in the device's error log.", 0, 1},
	[CTL_TEMPERATURE] = {"smartctl_device_temperature", FW_GAUGE, "celsius",
		"Temperature of the disk.", 0, 1},
	[CTL_STATUS] = {"smartctl_device_smart_status", FW_GAUGE, "",
		"0 where the disk itself says that it fails.", 0, 1},
	[CTL_WARNING] = {"smartctl_device_critical_warning", FW_GAUGE, "",
		"An NVMe device's critical warnings, as bits.", 0, 1},
	[CTL_MEDIA_ERRORS] = {"smartctl_device_media_errors", FW_COUNTER, "",
		"An NVMe device's errors of data integrity.", 0, 1},
	[CTL_SPARE] = {"smartctl_device_available_spare", FW_GAUGE, "",
		"An NVMe device's spare capacity in percent.", 0, 1},
	[CTL_SPARE_THRESHOLD] = {"smartctl_device_available_spare_threshold", FW_GAUGE, "",
		"At or below this percentage of spare capacity an NVMe device warns.", 0, 1},
	[READ_AT] = {"fenwatch_smart_read_timestamp_seconds", FW_GAUGE, "seconds",
		"When the disk was asked for what is told of it here.", 3, 1},
	[OK] = {"fenwatch_smart_ok", FW_GAUGE, "",
		"Whether the disk answered, or was left alone because it sleeps.", 0, 1},
};

/* ---- a report as samples ---- */

struct target {
	struct sweep *out;
	const char *disk, *device, *type; /* "/dev/sda", "sda" or "nvme0", "sat" */
};

static void add_device(const struct target *t, size_t metric, int64_t value)
{
	if (value != SMART_NONE)
		sweep_add(t->out, &metrics[metric], value, SWEEP_LABELS("device", t->device));
}

static void add_disk(const struct target *t, size_t metric, int64_t value)
{
	if (value != SMART_NONE)
		sweep_add(t->out, &metrics[metric], value,
			SWEEP_LABELS("disk", t->disk, "type", t->type));
}

static void add_part(const struct target *t, size_t metric, const char *id, int64_t value)
{
	if (value != SMART_NONE)
		sweep_add(t->out, &metrics[metric], value,
			SWEEP_LABELS("disk", t->disk, "smart_id", id, "type", t->type));
}

static void on_attribute(const struct smart_attribute *a, void *arg)
{
	const struct target *t = arg;
	char id[8];
	size_t i = 0;
	while (i < ATTRIBUTES_COUNT && strcmp(attribute_names[i], a->name) != 0)
		i++;
	if (i == ATTRIBUTES_COUNT)
		return;
	snprintf(id, sizeof id, "%u", a->id);
	add_part(t, PARTS * i + VALUE, id, a->value);
	add_part(t, PARTS * i + WORST, id, a->worst);
	add_part(t, PARTS * i + THRESHOLD, id, a->threshold);
	add_part(t, PARTS * i + RAW_VALUE, id, a->raw);
}

/* SCSI disks have no such attributes; smartmon.sh lends them the numbers of ATA's. */
static void add_scsi(const struct target *t, const struct smart_report *r)
{
	static const struct {
		enum attribute attribute;
		const char *id;
		size_t offset;
	} lent[] = {
		{ATTRIBUTE_power_on_hours, "9", offsetof(struct smart_report, power_on_hours)},
		{ATTRIBUTE_power_cycle_count, "12", offsetof(struct smart_report, start_stops)},
		{ATTRIBUTE_temperature_celsius, "194", offsetof(struct smart_report, temperature)},
	};
	for (size_t i = 0; i < COUNT(lent); i++) {
		int64_t value;
		memcpy(&value, (const char *)r + lent[i].offset, sizeof value);
		add_part(t, PARTS * (size_t)lent[i].attribute + RAW_VALUE, lent[i].id, value);
	}
	add_part(t, GROWN_DEFECTS, "12", r->grown_defects);
}

static void add_nvme(const struct target *t, const struct smart_report *r)
{
	const struct smart_nvme *n = &r->nvme;
	sweep_add(t->out, &metrics[NVME_INFO], 1,
		SWEEP_LABELS("device", t->device, "firmware", r->firmware, "model", r->model,
			"serial", r->serial));
	add_device(t, NVME_SPARE, n->spare);
	add_device(t, NVME_SPARE_THRESHOLD, n->spare_threshold);
	add_device(t, NVME_USED, n->used);
	add_device(t, NVME_WARNING, n->warning);
	add_device(t, NVME_TEMPERATURE, r->temperature);
	add_device(t, NVME_MEDIA_ERRORS, n->media_errors);
	add_device(t, NVME_READ, n->units_read);
	add_device(t, NVME_WRITTEN, n->units_written);
	add_device(t, NVME_HOURS, n->hours);
	add_device(t, NVME_UNSAFE, n->unsafe_shutdowns);
	add_device(t, NVME_LOG, n->log_entries);
	add_device(t, CTL_WARNING, n->warning);
	add_device(t, CTL_MEDIA_ERRORS, n->media_errors);
	add_device(t, CTL_SPARE, n->spare);
	add_device(t, CTL_SPARE_THRESHOLD, n->spare_threshold);
}

static void add_identity(const struct target *t, const struct smart_report *r)
{
	bool is_scsi = r->vendor[0] != '\0';
	if (r->model[0] || is_scsi)
		sweep_add(t->out, &metrics[INFO], 1,
			SWEEP_LABELS("device_model", is_scsi ? "" : r->model, "disk", t->disk,
				"firmware_version", r->firmware, "lun_id", r->lun_id,
				"model_family", r->family, "product", r->product, "revision",
				r->revision, "serial_number", r->serial, "type", t->type, "vendor",
				r->vendor));
}

static void add_report(struct target *t, const struct smart_report *r)
{
	if (r->type[0])
		t->type = r->type;
	add_identity(t, r);
	add_disk(t, AVAILABLE, r->available);
	add_disk(t, ENABLED, r->enabled);
	add_disk(t, HEALTHY, r->healthy);
	smart_attributes(r, on_attribute, t);
	if (r->vendor[0])
		add_scsi(t, r);
	if (r->is_nvme)
		add_nvme(t, r);
	if (r->temperature != SMART_NONE)
		sweep_add(t->out, &metrics[CTL_TEMPERATURE], r->temperature,
			SWEEP_LABELS("device", t->device, "temperature_type", "current"));
	add_device(t, CTL_STATUS, r->healthy);
	if (r->read_at_s != SMART_NONE)
		add_device(t, READ_AT, r->read_at_s * 1000);
}

/* ---- what a disk said last ---- */

#define FOLDER "smart"

static char *path_of(const struct machine *m, const char *name)
{
	return fw_format("%s/" FOLDER "/%s", m->var, name);
}

/* That it cannot be kept is no loss while the disk is awake. */
static void keep(const struct machine *m, const char *name, const struct fw_buf *text)
{
	if (!m->var)
		return;
	char *folder = fw_format("%s/" FOLDER, m->var);
	char *path = path_of(m, name);
	if (fw_mkdir_all(folder, 0700) >= 0)
		fw_file_replace(path, text->data, text->length, 0600, NULL);
	fw_free(folder);
	fw_free(path);
}

static bool recall(const struct machine *m, const char *name, struct fw_buf *text)
{
	if (!m->var)
		return false;
	char *path = path_of(m, name);
	int rc = fw_file_read(path, FACTS_ANSWER_LIMIT, text, NULL);
	fw_free(path);
	return rc >= 0;
}

/* ---- one disk after another ---- */

static const char *const types[] = {
	[FACTS_ATA] = "sat",
	[FACTS_SCSI] = "scsi",
	[FACTS_NVME] = "nvme",
	[FACTS_USB] = "usb",
};

static int ask(struct machine *m, const struct facts_disk *disk, enum facts_code code,
	struct fw_buf *body, struct fw_err *err)
{
	const struct facts_request request = {code, disk->major, disk->minor};
	return facts_ask(m, &request, body, err);
}

static bool sleeps(struct machine *m, const struct facts_disk *disk)
{
	struct fw_buf body = {0};
	enum facts_power power = POWER_UNKNOWN;
	if (ask(m, disk, FACTS_POWER, &body, NULL) == 0)
		facts_get_power(&body, &power);
	fw_buf_done(&body);
	return power == POWER_STANDBY;
}

/* 1 with what it said, 0 when it was left alone, or why it could not be asked. */
static int read_disk(struct machine *m, const struct facts_disk *disk, struct fw_buf *text,
	struct smart_report **out, struct fw_err *err)
{
	if (sleeps(m, disk))
		return 0;
	int rc = ask(m, disk, FACTS_SMART, text, err);
	if (rc == -EHOSTDOWN)
		return 0;
	if (rc == 0)
		rc = smart_parse(text, out, err);
	if (rc < 0)
		return rc;
	return (*out)->asleep ? 0 : 1;
}

static void name_device(const struct facts_disk *disk, char *out, size_t size)
{
	size_t length = strlen(disk->name);
	if (disk->bus == FACTS_NVME) /* the controller */
		length = 4 + strspn(disk->name + 4, "0123456789");
	snprintf(out, size, "%.*s", (int)length, disk->name);
}

/* That smartctl is missing or too old, or that the helper has gone in between, says
 * nothing of the disk; any other failure is told by the disk's own series. */
static bool is_of_machine(int rc)
{
	return rc == -ENOPKG || rc == -ENOTSUP || rc == -ENOENT;
}

static int add_one(
	struct machine *m, const struct facts_disk *disk, struct sweep *out, struct fw_err *err)
{
	char path[48], device[32];
	struct fw_buf text = {0};
	struct smart_report *report = NULL;
	struct target t = {out, path, device, types[disk->bus]};
	snprintf(path, sizeof path, "/dev/%s", disk->name);
	name_device(disk, device, sizeof device);
	int rc = read_disk(m, disk, &text, &report, err);
	if (is_of_machine(rc)) {
		fw_buf_done(&text);
		return rc;
	}
	if (rc == 1) {
		keep(m, disk->name, &text);
	} else {
		smart_free(report);
		report = NULL;
		fw_buf_reset(&text);
		if (recall(m, disk->name, &text))
			smart_parse(&text, &report, NULL);
	}
	if (report)
		add_report(&t, report);
	add_disk(&t, ACTIVE, rc != 0);
	add_device(&t, OK, rc >= 0);
	smart_free(report);
	fw_buf_done(&text);
	return rc;
}

static int add_disks(
	struct machine *m, const struct facts_disks *disks, struct sweep *out, struct fw_err *err)
{
	for (size_t i = 0; i < disks->n; i++) {
		int rc = add_one(m, &disks->disk[i], out, err);
		if (rc == -ENOPKG)
			return fw_fail(err, -ENODATA, "smartctl is not installed");
		if (is_of_machine(rc))
			return rc;
	}
	return 0;
}

static int read_smart(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct fw_buf body = {0};
	struct facts_disks *disks = fw_alloc(sizeof *disks);
	const struct facts_request request = {.code = FACTS_DISKS};
	int rc = facts_ask(m, &request, &body, err);
	if (rc == -ENOENT)
		rc = -ENODATA;
	if (rc == 0 && facts_get_disks(&body, disks) < 0)
		rc = fw_fail(err, -EBADMSG, "the helper's list of disks is not whole");
	if (rc == 0 && disks->n == 0)
		rc = fw_fail(err, -ENODATA, "this machine has no disks of its own");
	if (rc == 0)
		rc = add_disks(m, disks, out, err);
	fw_free(disks);
	fw_buf_done(&body);
	return rc;
}

const struct source source_smart = {
	.name = "smart",
	.help = "The health of disks (SMART, NVMe), without waking any.",
	.purpose = "Disks that fail are replaced before they do, and their wear is known.",
	.reads = "what smartctl prints of each disk, through the helper fenwatch-facts",
	.needs = "the helper fenwatch-facts, and smartctl of smartmontools 7.0 or newer",
	.slow = true,
	.every_s = 3600,
	.timeout_s = 900,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_smart,
};
