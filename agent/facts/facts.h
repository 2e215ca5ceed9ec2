/* Facts that take more rights than the agent has, from the helper fenwatch-facts.
 *
 * A source in its disposable child asks one question at a time over a Unix socket:
 * a packet of sixteen bytes, six codes, no text. The answer is one packet of at most
 * 64 KiB. The helper does each request in a child of its own that keeps just the
 * capabilities of that request and is killed at the request's time-out.
 *
 * What a request does is written once, in facts_perform(): the helper calls it with
 * its rights, and facts_ask() calls it itself for a recorded machine. Answers are
 * taken apart by the agent, which trusts them as little as any bytes from outside.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

#include "../source.h"

#define FACTS_SOCKET "/run/fenwatch/facts.sock"
#define FACTS_SMARTCTL "/usr/sbin/smartctl"
#define FACTS_ANSWER_LIMIT ((size_t)64 << 10)
#define FACTS_DISKS_LIMIT 128
#define FACTS_LIBRARIES_LIMIT 256
#define FACTS_SERVICES_LIMIT 256
#define FACTS_SERIAL_BYTES 64

enum facts_code {
	FACTS_DISKS = 1,
	FACTS_POWER,     /* of a disk */
	FACTS_SMART,     /* of a disk: what smartctl prints */
	FACTS_LIBRARIES, /* that processes run and that are deleted */
	FACTS_RULESET,   /* of nftables */
	FACTS_SERIALS,   /* that firmware has */
	FACTS_CODES,
};

struct facts_request {
	enum facts_code code;
	uint32_t major, minor; /* of a disk in the list; else 0 */
};

/* ---- what a source asks ---- */

enum facts_bus { FACTS_ATA, FACTS_SCSI, FACTS_NVME, FACTS_USB };

struct facts_disk {
	uint32_t major, minor;
	enum facts_bus bus;
	char name[32]; /* "sda", "nvme0n1" */
};

struct facts_disks {
	struct facts_disk disk[FACTS_DISKS_LIMIT];
	size_t n;
};

/* What a disk that is to be left alone is asked for is -EHOSTDOWN. */
enum facts_power { POWER_UNKNOWN, POWER_ACTIVE, POWER_IDLE, POWER_STANDBY };

/* Files that were replaced while processes run them: libraries and programs. */
struct facts_libraries {
	struct facts_library {
		const char *path;
		uint32_t processes;
		bool in_init; /* the first process runs it */
	} library[FACTS_LIBRARIES_LIMIT];
	const char *service[FACTS_SERVICES_LIMIT]; /* units; "" stands for people's sessions */
	/* link[l] has bit s where a process of service[s] runs library[l] */
	uint8_t link[FACTS_LIBRARIES_LIMIT][FACTS_SERVICES_LIMIT / 8];
	size_t n, n_services;
	bool partial; /* processes of others could not be looked into */
};

struct facts_ruleset {
	uint32_t input_chains;   /* that see what comes in */
	uint32_t input_policies; /* of those, the ones that drop what no rule accepts */
	uint32_t refusals;       /* rules that drop or reject, there or where they jump to */
};

static inline bool facts_links(const struct facts_libraries *all, size_t library, size_t service)
{
	return all->link[library][service / 8] >> service % 8 & 1;
}

enum facts_serial { SERIAL_SYSTEM, SERIAL_UUID, SERIAL_BOARD, SERIAL_CHASSIS, SERIALS };

struct facts_serials {
	char serial[SERIALS][FACTS_SERIAL_BYTES];
};

/* A part may have a socket of its own beside facts.sock, like facts-network.sock; else one
 * helper answers all.
 *
 * Appends the answer's body. -ENOENT: there is no helper here; else what the helper
 * said, or -ETIMEDOUT, -EBADMSG. */
int facts_ask(struct machine *m, const struct facts_request *request, struct fw_buf *body,
	struct fw_err *err);

int facts_get_disks(const struct fw_buf *body, struct facts_disks *out);
int facts_get_power(const struct fw_buf *body, enum facts_power *out);
/* Texts point into the body. */
int facts_get_libraries(const struct fw_buf *body, struct facts_libraries *out);
int facts_get_ruleset(const struct fw_buf *body, struct facts_ruleset *out);
int facts_get_serials(const struct fw_buf *body, struct facts_serials *out);

/* ---- what the helper does ---- */

/* What a request may take. */
struct facts_limits {
	const char *name;
	uint64_t capabilities; /* 1 << CAP_... */
	unsigned timeout_s;
	bool of_disk; /* and not more than one at a time for each */
	const char *part;
};

/* systemd starts a helper for each, so that it has its own rights alone. */
#define FACTS_HARDWARE "hardware"
#define FACTS_PROCESSES "processes"
#define FACTS_NETWORK "network"

extern const struct facts_limits facts_limits[FACTS_CODES];

/* Here and with the rights of this process. `smartctl` is the program's path; NULL
 * reads what it printed from a recorded machine. */
int facts_perform(struct machine *m, const char *smartctl, const struct facts_request *request,
	struct fw_buf *body);

/* ---- messages ---- */

#define FACTS_REQUEST_BYTES 16
#define FACTS_HEAD_BYTES 12

void facts_put_request(const struct facts_request *request, uint8_t out[FACTS_REQUEST_BYTES]);
int facts_get_request(const uint8_t *data, size_t length, struct facts_request *out);
/* `rc` is 0 or a negative errno, with which no body goes. */
void facts_put_answer(
	enum facts_code code, int rc, const struct fw_buf *body, struct fw_buf *packet);
/* What the helper's rc was; -EBADMSG when this is no answer to that code. */
int facts_get_answer(
	enum facts_code code, const uint8_t *packet, size_t length, struct fw_buf *body);

void facts_put_disk(const struct facts_disk *disk, struct fw_buf *body);
/* Libraries that do not fit are left out, and `partial` says so. */
void facts_put_libraries(const struct facts_libraries *libraries, struct fw_buf *body);
