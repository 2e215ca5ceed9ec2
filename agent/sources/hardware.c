/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine is made of, as far as anybody may read it.
 *
 * An inventory: firmware's words about the machine (/sys/class/dmi/id, or the
 * device tree's model), processors by socket, memory and its modules (EDAC's, where
 * its driver is loaded), disks that cannot be taken out, network cards. Fields have
 * the kernel's names. Serial numbers that only root may read are not here. One series
 * has firmware's words as labels.
 *
 * /proc/cpuinfo: Documentation/arch/x86, arch/arm64/kernel/cpuinfo.c; /sys:
 * Documentation/ABI/testing/sysfs-{block,class-net,devices-edac,memory}.
 */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "../facts/facts.h"

static const struct metric metrics[] = {
	{"node_dmi_info", FW_GAUGE, "", "What firmware says in words, value is always 1.", 0, 1},
};

#define PATH_BYTES 256
#define SOCKETS_LIMIT 64

struct hardware {
	struct document *inventory;
	uint64_t memory_blocks; /* of the kernel's own size that are online */
};

/* A field whose value is what the file FOLDER/NAME says. */
static bool put_file(struct machine *m, struct hardware *h, const char *folder, const char *file,
	const char *field)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	snprintf(path, sizeof path, "%s/%s", folder, file);
	bool found = read_text(m, path, text, sizeof text);
	document_field(h->inventory, field, text);
	return found;
}

static void put_number(struct hardware *h, const char *field, uint64_t value)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRIu64, value);
	document_field(h->inventory, field, text);
}

static bool has(struct machine *m, const char *path)
{
	struct machine_file file;
	return machine_stat(m, path, &file) == 0;
}

/* ---- firmware ---- */

#define DMI "sys/class/dmi/id"
#define MODEL "sys/firmware/devicetree/base/model"

/* Only root may read these; without the helper there are none. */
static void read_serials(struct machine *m, struct facts_serials *out)
{
	const struct facts_request request = {.code = FACTS_SERIALS};
	struct fw_buf body = {0};
	*out = (struct facts_serials){0};
	if (facts_ask(m, &request, &body, NULL) < 0 || facts_get_serials(&body, out) < 0)
		*out = (struct facts_serials){0};
	fw_buf_done(&body);
}

static void add_firmware(struct machine *m, struct hardware *h)
{
	static const struct {
		const char *key, *files[6];
		enum facts_serial serial; /* SERIALS: it has none */
	} parts[] = {
		{"bios", {"bios_vendor", "bios_version", "bios_date", "bios_release"}, SERIALS},
		{"board", {"board_vendor", "board_name", "board_version"}, SERIAL_BOARD},
		{"chassis", {"chassis_vendor", "chassis_type", "chassis_version"}, SERIAL_CHASSIS},
		{"system",
			{"sys_vendor", "product_name", "product_version", "product_family",
				"product_sku"},
			SERIAL_SYSTEM},
	};
	struct facts_serials serials = {0};
	if (has(m, DMI))
		read_serials(m, &serials);
	for (size_t i = 0; has(m, DMI) && i < COUNT(parts); i++) {
		document_item(h->inventory, parts[i].key);
		for (const char *const *file = parts[i].files; *file; file++)
			put_file(m, h, DMI, *file, *file);
		if (parts[i].serial != SERIALS)
			document_field(h->inventory, "serial", serials.serial[parts[i].serial]);
		if (parts[i].serial == SERIAL_SYSTEM)
			document_field(h->inventory, "uuid", serials.serial[SERIAL_UUID]);
	}
	char model[TEXT_BYTES];
	if (!has(m, DMI) && read_text(m, MODEL, model, sizeof model)) {
		document_item(h->inventory, "system");
		document_field(h->inventory, "model", model);
	}
}

/* Labels are the files' names, but for one. */
static void add_info(struct machine *m, struct sweep *out)
{
	static const char *const labels[] = {"bios_date", "bios_release", "bios_vendor",
		"bios_version", "board_asset_tag", "board_name", "board_vendor", "board_version",
		"chassis_asset_tag", "chassis_vendor", "chassis_version", "product_family",
		"product_name", "product_sku", "product_version", "system_vendor"};
	char path[PATH_BYTES], texts[COUNT(labels)][TEXT_BYTES];
	const char *pairs[2 * COUNT(labels) + 1] = {0};
	for (size_t i = 0; i < COUNT(labels); i++) {
		bool renamed = strcmp(labels[i], "system_vendor") == 0;
		snprintf(path, sizeof path, DMI "/%s", renamed ? "sys_vendor" : labels[i]);
		read_text(m, path, texts[i], sizeof texts[i]);
		pairs[2 * i] = labels[i];
		pairs[2 * i + 1] = texts[i];
	}
	if (has(m, DMI))
		sweep_add(out, &metrics[0], 1, pairs);
}

/* ---- processors ---- */

/* One socket, and what its first processor says of itself. */
struct socket {
	uint64_t id, processors;
	char vendor_id[32], model_name[TEXT_BYTES], cpu_cores[8], microcode[24], implementer[12],
		part[12];
};

struct sockets {
	struct socket all[SOCKETS_LIMIT];
	size_t n;
};

static void set_field(char *out, size_t size, const struct fw_cursor *value)
{
	if (!out[0])
		snprintf(out, size, "%.*s", (int)(value->end - value->at), value->at);
}

static void note_pair(struct socket *s, const struct fw_cursor *key, struct fw_cursor *value)
{
	const struct {
		const char *key;
		char *out;
		size_t size;
	} fields[] = {
		{"vendor_id", s->vendor_id, sizeof s->vendor_id},
		{"model name", s->model_name, sizeof s->model_name},
		{"cpu cores", s->cpu_cores, sizeof s->cpu_cores},
		{"microcode", s->microcode, sizeof s->microcode},
		{"CPU implementer", s->implementer, sizeof s->implementer},
		{"CPU part", s->part, sizeof s->part},
	};
	if (cursor_is(key, "physical id"))
		fw_cut_u64(value, &s->id);
	for (size_t i = 0; i < COUNT(fields); i++)
		if (cursor_is(key, fields[i].key))
			set_field(fields[i].out, fields[i].size, value);
}

static void end_processor(struct sockets *sockets, const struct socket *s)
{
	size_t i = 0;
	while (i < sockets->n && sockets->all[i].id != s->id)
		i++;
	if (i == SOCKETS_LIMIT)
		return;
	if (i == sockets->n)
		sockets->all[sockets->n++] = *s;
	sockets->all[i].processors++;
}

/* Paragraphs that begin with "processor"; old ARM kernels say what they share behind them. */
static void read_sockets(struct fw_cursor c, struct sockets *sockets)
{
	struct fw_cursor line, key, value;
	struct socket s = {.id = 0};
	bool in_processor = false;
	while (fw_cut_line(&c, &line)) {
		if (!cut_pair(line, &key, &value))
			continue;
		if (cursor_is(&key, "processor")) {
			if (in_processor)
				end_processor(sockets, &s);
			s = (struct socket){.id = 0};
			in_processor = true;
		}
		note_pair(&s, &key, &value);
	}
	if (in_processor)
		end_processor(sockets, &s);
}

static void add_processors(struct machine *m, struct hardware *h)
{
	struct fw_cursor c;
	if (machine_read(m, "proc/cpuinfo", &c) < 0)
		return;
	struct sockets *sockets = fw_alloc(sizeof *sockets);
	read_sockets(c, sockets);
	for (size_t i = 0; i < sockets->n; i++) {
		const struct socket *s = &sockets->all[i];
		char key[32];
		snprintf(key, sizeof key, "cpu/%" PRIu64, s->id);
		document_item(h->inventory, key);
		document_field(h->inventory, "vendor_id", s->vendor_id);
		document_field(h->inventory, "model_name", s->model_name);
		document_field(h->inventory, "cpu_implementer", s->implementer);
		document_field(h->inventory, "cpu_part", s->part);
		document_field(h->inventory, "cpu_cores", s->cpu_cores);
		put_number(h, "processors", s->processors);
		document_field(h->inventory, "microcode", s->microcode);
	}
	fw_free(sockets);
}

/* ---- memory ---- */

#define BLOCKS "sys/devices/system/memory"
#define EDAC "sys/devices/system/edac/mc"

static int on_block(struct machine *m, const char *name, void *arg)
{
	struct hardware *h = arg;
	char path[PATH_BYTES];
	int64_t online;
	snprintf(path, sizeof path, BLOCKS "/%s/online", name);
	if (strncmp(name, "memory", 6) == 0 && machine_read_i64(m, path, &online) == 0)
		h->memory_blocks += online == 1;
	return 0;
}

/* What is plugged in, in the kernel's blocks; what the kernel left of it where it has none. */
static uint64_t read_memory(struct machine *m, struct hardware *h)
{
	struct fw_cursor c, line;
	uint64_t value;
	if (machine_read(m, BLOCKS "/block_size_bytes", &c) == 0 && cut_hex(&c, &value) &&
		value < UINT64_MAX >> 24) {
		machine_list(m, BLOCKS, on_block, h);
		if (h->memory_blocks > 0)
			return h->memory_blocks * value;
	}
	if (machine_read(m, "proc/meminfo", &c) == 0)
		while (fw_cut_line(&c, &line))
			if (fw_cut_literal(&line, "MemTotal:") && fw_cut_u64(&line, &value))
				return value * 1024;
	return 0;
}

static int on_dimm(struct machine *m, const char *name, void *arg)
{
	struct hardware *h = ((void **)arg)[0];
	const char *controller = ((void **)arg)[1];
	char folder[PATH_BYTES], key[PATH_BYTES];
	if (strncmp(name, "dimm", 4) != 0 && strncmp(name, "rank", 4) != 0)
		return 0;
	snprintf(key, sizeof key, "memory/%s/%s", controller, name);
	snprintf(folder, sizeof folder, EDAC "/%s/%s", controller, name);
	document_item(h->inventory, key);
	put_file(m, h, folder, "dimm_label", "dimm_label");
	put_file(m, h, folder, "dimm_location", "dimm_location");
	put_file(m, h, folder, "dimm_mem_type", "dimm_mem_type");
	put_file(m, h, folder, "size", "size_mib");
	return 0;
}

static int on_controller(struct machine *m, const char *name, void *arg)
{
	char path[PATH_BYTES];
	void *both[] = {arg, (void *)(uintptr_t)name};
	if (strncmp(name, "mc", 2) != 0)
		return 0;
	snprintf(path, sizeof path, EDAC "/%s", name);
	machine_list(m, path, on_dimm, both);
	return 0;
}

static void add_memory(struct machine *m, struct hardware *h)
{
	uint64_t bytes = read_memory(m, h);
	if (bytes > 0) {
		document_item(h->inventory, "memory");
		put_number(h, "size", bytes);
	}
	machine_list(m, EDAC, on_controller, h);
}

/* ---- disks ---- */

/* What udev found out of the serial number. */
static void put_udev_serial(struct machine *m, struct hardware *h, const char *folder)
{
	char path[PATH_BYTES], number[24], serial[TEXT_BYTES] = "";
	struct fw_cursor c, line;
	snprintf(path, sizeof path, "%s/dev", folder);
	if (!read_text(m, path, number, sizeof number))
		return;
	snprintf(path, sizeof path, "run/udev/data/b%s", number);
	if (machine_read(m, path, &c) < 0)
		return;
	while (fw_cut_line(&c, &line))
		if (fw_cut_literal(&line, "E:ID_SERIAL_SHORT="))
			snprintf(serial, sizeof serial, "%.*s", (int)(line.end - line.at), line.at);
	document_field(h->inventory, "serial", serial);
}

static int on_disk(struct machine *m, const char *name, void *arg)
{
	struct hardware *h = arg;
	char folder[PATH_BYTES], device[PATH_BYTES], path[PATH_BYTES], key[PATH_BYTES];
	int64_t number;
	snprintf(folder, sizeof folder, "sys/block/%s", name);
	snprintf(device, sizeof device, "sys/block/%s/device", name);
	snprintf(path, sizeof path, "sys/block/%s/removable", name);
	if (!has(m, device) || (machine_read_i64(m, path, &number) == 0 && number != 0))
		return 0;
	snprintf(key, sizeof key, "disk/%s", name);
	document_item(h->inventory, key);
	put_file(m, h, device, "vendor", "vendor");
	put_file(m, h, device, "model", "model");
	if (!put_file(m, h, device, "rev", "rev"))
		put_file(m, h, device, "firmware_rev", "firmware_rev");
	if (!put_file(m, h, device, "serial", "serial") &&
		!put_file(m, h, folder, "serial", "serial"))
		put_udev_serial(m, h, folder);
	snprintf(path, sizeof path, "sys/block/%s/size", name);
	if (machine_read_i64(m, path, &number) == 0 && number > 0)
		put_number(h, "size", (uint64_t)number * 512);
	put_file(m, h, folder, "queue/rotational", "rotational");
	return 0;
}

/* ---- network cards ---- */

/* Addresses that were made up, as Wi-Fi does for each network, say nothing of the card. */
static int on_card(struct machine *m, const char *name, void *arg)
{
	struct hardware *h = arg;
	char folder[PATH_BYTES], device[PATH_BYTES], path[PATH_BYTES], key[PATH_BYTES];
	int64_t type;
	snprintf(folder, sizeof folder, "sys/class/net/%s", name);
	snprintf(device, sizeof device, "sys/class/net/%s/device", name);
	if (!has(m, device))
		return 0;
	snprintf(key, sizeof key, "net/%s", name);
	document_item(h->inventory, key);
	put_file(m, h, device, "vendor", "vendor");
	put_file(m, h, device, "device", "device");
	snprintf(path, sizeof path, "sys/class/net/%s/addr_assign_type", name);
	if (machine_read_i64(m, path, &type) < 0 || type == 0)
		put_file(m, h, folder, "address", "address");
	return 0;
}

static int read_hardware(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	if (!has(m, "proc/cpuinfo") && !has(m, "sys/block"))
		return fw_fail(err, -ENODATA, "this machine has neither /proc/cpuinfo nor /sys");
	struct hardware h = {.inventory = document_begin(m, "hardware")};
	add_firmware(m, &h);
	add_info(m, out);
	add_processors(m, &h);
	add_memory(m, &h);
	machine_list(m, "sys/block", on_disk, &h);
	machine_list(m, "sys/class/net", on_card, &h);
	return 0;
}

static const char *const documents[] = {"hardware", NULL};

const struct source source_hardware = {
	.name = "hardware",
	.help = "An inventory of firmware, processors, memory, disks and network cards.",
	.purpose =
		"To know what there is, what is out of support, and what to replace a part with.",
	.reads = "/sys/class/dmi, /proc/cpuinfo, /sys/block, /sys/class/net, /sys/devices/system; "
		 "serial numbers through the helper fenwatch-facts",
	.slow = true,
	.every_s = 3600,
	.timeout_s = 30,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.documents = documents,
	.read = read_hardware,
};
