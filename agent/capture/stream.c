/* SPDX-License-Identifier: Apache-2.0 */
/* Which protocol, and which version of it, the first bytes of a payload show. */
#include "layers.h"

enum { PORT_SMB = 445, PORT_NETBIOS = 139 };

/* SMB behind NetBIOS' four bytes: 0xff is version 1, 0xfe 2 and 3, 0xfd the same encrypted. */
static bool read_smb(struct reading *r)
{
	const uint8_t *at = r->s.at;
	if (span_left(&r->s) < 8 || at[0] != 0 || memcmp(at + 5, "SMB", 3) != 0 || at[4] < 0xfd)
		return false;
	r->out->app = at[4] == 0xff ? PACKET_APP_SMB1 : PACKET_APP_SMB;
	return true;
}

void read_stream_start(struct reading *r)
{
	const struct packet *p = r->out;
	bool smb = p->from_port == PORT_SMB || p->to_port == PORT_SMB ||
		p->from_port == PORT_NETBIOS || p->to_port == PORT_NETBIOS;
	if (smb && read_smb(r))
		return;
	if (span_left(&r->s) >= 6 && r->s.at[0] == 22 && r->s.at[1] == 3 && r->s.at[5] <= 2)
		read_tls(r);
}

/* A sequence whose first member is the version, a number of one byte. */
void read_snmp(struct reading *r)
{
	uint8_t tag, length, version[3];
	if (!span_u8(&r->s, &tag) || tag != 0x30 || !span_u8(&r->s, &length))
		return;
	if ((length & 0x80) && !span_skip(&r->s, length & 0x7f))
		return;
	if (!span_copy(&r->s, version, 3) || version[0] != 2 || version[1] != 1)
		return;
	r->out->app = PACKET_APP_SNMP;
	r->out->snmp_version = version[2];
}
