/* SPDX-License-Identifier: Apache-2.0 */
/* The first segment of a TLS handshake: which version, and the name where it may be kept. */
#include "layers.h"

enum { HELLO_CLIENT = 1, HELLO_SERVER = 2, EXTENSION_NAME = 0, EXTENSION_VERSIONS = 43 };

static bool skip_vector8(struct span *s)
{
	uint8_t length;
	return span_u8(s, &length) && span_skip(s, length);
}

static bool skip_vector16(struct span *s)
{
	uint16_t length;
	return span_u16(s, &length) && span_skip(s, length);
}

static void take_name(struct packet *out, struct span *s)
{
	uint16_t list, length;
	uint8_t kind;
	if (span_u16(s, &list) && span_u8(s, &kind) && kind == 0 && span_u16(s, &length) &&
		span_left(s) >= length)
		packet_put_text(out->name, sizeof out->name, s->at, length);
}

/* Values with 0x?a in both bytes are offered only to see that they are ignored. */
static bool is_grease(uint16_t version)
{
	return (version & 0x0f0f) == 0x0a0a;
}

static void take_versions(struct packet *out, struct span *s)
{
	uint16_t version;
	if (out->tls.handshake == HELLO_CLIENT && !span_skip(s, 1))
		return;
	while (span_u16(s, &version))
		if (!is_grease(version) && version > out->tls.version)
			out->tls.version = version;
}

static void read_extensions(struct reading *r)
{
	uint16_t all, type, length;
	if (!span_u16(&r->s, &all))
		return;
	while (span_u16(&r->s, &type) && span_u16(&r->s, &length)) {
		struct span value = span_take(&r->s, length);
		if (type == EXTENSION_NAME && r->names && r->out->tls.handshake == HELLO_CLIENT)
			take_name(r->out, &value);
		if (type == EXTENSION_VERSIONS)
			take_versions(r->out, &value);
	}
}

/* Version and handshake lie in the headers' limit; the extensions may not, and then
 * 1.3 counts as the 1.2 that it claims to be. */
bool read_tls(struct reading *r)
{
	struct packet *out = r->out;
	uint16_t version;
	if (r->names && r->s.at[5] == HELLO_CLIENT)
		span_widen(&r->s, PACKET_HELLO_BYTES);
	const uint8_t *handshake = r->s.at + 5;
	if (!span_skip(&r->s, 9) || !span_u16(&r->s, &version) || handshake[0] < HELLO_CLIENT)
		return false;
	out->app = PACKET_APP_TLS;
	out->tls = (struct packet_tls){.handshake = handshake[0], .version = version};
	if (!span_skip(&r->s, 32) || !skip_vector8(&r->s))
		return true;
	if (out->tls.handshake == HELLO_CLIENT ? skip_vector16(&r->s) && skip_vector8(&r->s)
					       : span_skip(&r->s, 3))
		read_extensions(r);
	return true;
}
