/* SPDX-License-Identifier: Apache-2.0 */
#include "perform.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/capability.h>

#include <fenwatch/mem.h>

#include "../sources/parse.h"

#define CAP(name) (UINT64_C(1) << (name))

const struct facts_limits facts_limits[FACTS_CODES] = {
	[FACTS_DISKS] = {"disks", 0, 5, false, FACTS_HARDWARE},
	[FACTS_POWER] = {"power", CAP(CAP_SYS_RAWIO) | CAP(CAP_SYS_ADMIN), 10, true,
		FACTS_HARDWARE},
	[FACTS_SMART] = {"smart", CAP(CAP_SYS_RAWIO) | CAP(CAP_SYS_ADMIN), 20, true,
		FACTS_HARDWARE},
	[FACTS_LIBRARIES] = {"libraries", CAP(CAP_SYS_PTRACE), 30, false, FACTS_PROCESSES},
	[FACTS_RULESET] = {"ruleset", CAP(CAP_NET_ADMIN), 10, false, FACTS_NETWORK},
	[FACTS_SERIALS] = {"serials", CAP(CAP_DAC_READ_SEARCH), 5, false, FACTS_HARDWARE},
};

static int list_disks(struct machine *m, struct fw_buf *body)
{
	struct facts_disks *disks = fw_alloc(sizeof *disks);
	int rc = disks_list(m, disks);
	for (size_t i = 0; rc == 0 && i < disks->n; i++)
		facts_put_disk(&disks->disk[i], body);
	fw_free(disks);
	return rc;
}

/* Only what the list has: a device's name never comes from outside. */
static int find_disk(struct machine *m, const struct facts_request *request, struct facts_disk *out)
{
	struct facts_disks *disks = fw_alloc(sizeof *disks);
	int rc = disks_list(m, disks);
	size_t i = 0;
	while (rc == 0 && i < disks->n &&
		(disks->disk[i].major != request->major || disks->disk[i].minor != request->minor))
		i++;
	if (rc == 0 && i == disks->n)
		rc = -ENODEV;
	if (rc == 0)
		*out = disks->disk[i];
	fw_free(disks);
	return rc;
}

static int read_power(struct machine *m, const struct facts_disk *disk, struct fw_buf *body)
{
	enum facts_power power;
	int rc = disk_power(m, disk, &power);
	if (rc == 0)
		fw_buf_put_varint(body, power);
	return rc;
}

static int count_ruleset(struct machine *m, struct fw_buf *body)
{
	struct facts_ruleset ruleset;
	int rc = ruleset_count(m, &ruleset);
	if (rc < 0)
		return rc;
	fw_buf_put_varint(body, ruleset.input_chains);
	fw_buf_put_varint(body, ruleset.input_policies);
	fw_buf_put_varint(body, ruleset.refusals);
	return 0;
}

static int read_serials(struct machine *m, struct fw_buf *body)
{
	static const char *const files[SERIALS] = {
		[SERIAL_SYSTEM] = "product_serial",
		[SERIAL_UUID] = "product_uuid",
		[SERIAL_BOARD] = "board_serial",
		[SERIAL_CHASSIS] = "chassis_serial",
	};
	for (size_t i = 0; i < SERIALS; i++) {
		char path[64], serial[FACTS_SERIAL_BYTES];
		snprintf(path, sizeof path, "sys/class/dmi/id/%s", files[i]);
		read_text(m, path, serial, sizeof serial);
		fw_buf_append(body, serial, strlen(serial) + 1);
	}
	return 0;
}

int facts_perform(struct machine *m, const char *smartctl, const struct facts_request *request,
	struct fw_buf *body)
{
	struct facts_disk disk;
	if (facts_limits[request->code].of_disk) {
		int rc = find_disk(m, request, &disk);
		if (rc < 0)
			return rc;
	}
	switch (request->code) {
	case FACTS_DISKS:
		return list_disks(m, body);
	case FACTS_POWER:
		return read_power(m, &disk, body);
	case FACTS_SMART:
		return disk_smart(m, smartctl, &disk, body);
	case FACTS_LIBRARIES:
		return libraries_find(m, body);
	case FACTS_RULESET:
		return count_ruleset(m, body);
	case FACTS_SERIALS:
		return read_serials(m, body);
	case FACTS_CODES:
		break;
	}
	return -EBADMSG;
}
