/* Where packets come from: network interfaces, or a file of libpcap's.
 *
 * Of each packet the kernel hands over no more than the headers' limit, or the wider one
 * of the protocols that have one; of the first segment of a TLS handshake only while names
 * may be kept. Opening takes CAP_NET_RAW, reading nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/err.h>

#include "packet.h"

struct wire_tap;
struct wire_tap_options {
	uint64_t buffer;
	bool promiscuous, names;
};

int wire_tap_open(struct wire_tap **out, const char *interface,
	const struct wire_tap_options *options, struct fw_err *err);
/* An old-style pcap file alone: the reader of the newer ones takes memory as they say. */
int wire_tap_open_file(struct wire_tap **out, const char *path, struct fw_err *err);
void wire_tap_close(struct wire_tap *t);
/* What may be kept changes what the kernel hands over. */
int wire_tap_allow_names(struct wire_tap *t, bool names, struct fw_err *err);
int wire_tap_fd(const struct wire_tap *t); /* becomes readable */
/* At most `most` packets, or all there are; each is in place only while `take` runs. How
 * many there were; of a file 0 at its end. */
int wire_tap_read(struct wire_tap *t, int most, void (*take)(const struct packet *p, void *arg),
	void *arg, struct fw_err *err);

struct wire_tap_counts {
	uint64_t received, dropped, interface_dropped;
};
void wire_tap_counts(struct wire_tap *t, struct wire_tap_counts *out);
