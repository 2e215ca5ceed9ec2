/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_filter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "packet.h"

#define WIDE "udp port 53 or tcp port 53 or udp port 5353 or udp port 67 or udp port 68 or arp"
#define WIDE_LINK " or ether proto 0x88cc or ether dst 01:00:0c:cc:cc:cc"
/* A handshake's record whose first message is the client's. */
#define HELLO                                                                              \
	" or (tcp[((tcp[12] & 0xf0) >> 2)] = 22 and tcp[((tcp[12] & 0xf0) >> 2) + 5] = 1)" \
	" or (ip6[6] = 6 and ip6[40 + ((ip6[52] & 0xf0) >> 2)] = 22 and"                   \
	" ip6[40 + ((ip6[52] & 0xf0) >> 2) + 5] = 1)"

#define VERSION_BYTES 16 /* of a payload that begins with its protocol's version */

/* ---- the headers' length, computed by the kernel ---- */

/* Places in the program; NEXT is the one behind. */
enum place {
	NEXT,
	IP4,
	IP6,
	FRAGMENT,
	TRANSPORT,
	TCP,
	TCP_PLAIN,
	TCP_PORTS,
	UDP,
	VERSION,
	EIGHT,
	NEIGHBOUR,
	END,
	ALL,
	PLACES
};

struct step {
	enum place here;
	uint16_t code;
	uint32_t k;
	enum place yes, no;
};

#define L3 14 /* where IP begins behind Ethernet */
#define LOAD8 (BPF_LD | BPF_B | BPF_ABS)
#define LOAD16 (BPF_LD | BPF_H | BPF_ABS)
#define LOAD8_X (BPF_LD | BPF_B | BPF_IND)
#define LOAD16_X (BPF_LD | BPF_H | BPF_IND)
#define ADD (BPF_ALU | BPF_ADD | BPF_K)
#define IS (BPF_JMP | BPF_JEQ | BPF_K)
#define HAS (BPF_JMP | BPF_JSET | BPF_K)

/* M[1] is where the transport's header begins, M[0] where it ends. */
static const struct step headers[] = {
	{NEXT, LOAD16, 12, NEXT, NEXT},
	{NEXT, IS, 0x0800, IP4, NEXT},
	{NEXT, IS, 0x86dd, IP6, ALL},

	{IP4, BPF_LDX | BPF_B | BPF_MSH, L3, NEXT, NEXT},
	{NEXT, BPF_MISC | BPF_TXA, 0, NEXT, NEXT},
	{NEXT, ADD, L3, NEXT, NEXT},
	{NEXT, BPF_ST, 1, NEXT, NEXT},
	{NEXT, LOAD16, L3 + 6, NEXT, NEXT},
	{NEXT, HAS, 0x1fff, FRAGMENT, NEXT},
	{NEXT, LOAD8, L3 + 9, NEXT, NEXT},
	{NEXT, BPF_JMP | BPF_JA, 0, TRANSPORT, NEXT},

	{IP6, BPF_LD | BPF_IMM, L3 + 40, NEXT, NEXT},
	{NEXT, BPF_ST, 1, NEXT, NEXT},
	{NEXT, LOAD8, L3 + 6, NEXT, NEXT},
	{NEXT, IS, PROTOCOL_ICMP6, NEIGHBOUR, NEXT},
	{NEXT, IS, 0, ALL, NEXT}, /* extension headers: the parser walks them */
	{NEXT, IS, 43, ALL, NEXT},
	{NEXT, IS, 44, ALL, NEXT},
	{NEXT, IS, 51, ALL, NEXT},
	{NEXT, IS, 60, ALL, TRANSPORT},

	{TRANSPORT, IS, PROTOCOL_TCP, TCP, NEXT},
	{NEXT, IS, PROTOCOL_UDP, UDP, EIGHT},

	{TCP, BPF_LDX | BPF_MEM, 1, NEXT, NEXT},
	{NEXT, LOAD8_X, 12, NEXT, NEXT},
	{NEXT, BPF_ALU | BPF_AND | BPF_K, 0xf0, NEXT, NEXT},
	{NEXT, BPF_ALU | BPF_RSH | BPF_K, 2, NEXT, NEXT},
	{NEXT, BPF_ALU | BPF_ADD | BPF_X, 0, NEXT, NEXT},
	{NEXT, BPF_ST, 0, NEXT, NEXT},
	{NEXT, BPF_MISC | BPF_TAX, 0, NEXT, NEXT},
	{NEXT, BPF_LD | BPF_W | BPF_LEN, 0, NEXT, NEXT},
	{NEXT, BPF_JMP | BPF_JGT | BPF_X, 0, NEXT, TCP_PLAIN}, /* is there a payload? */
	{NEXT, LOAD8_X, 0, NEXT, NEXT},
	{NEXT, IS, 22, VERSION, NEXT}, /* a TLS handshake */
	{NEXT, IS, 0, TCP_PORTS, TCP_PLAIN},
	{TCP_PORTS, BPF_LDX | BPF_MEM, 1, NEXT, NEXT}, /* a message of NetBIOS, and so of SMB? */
	{NEXT, LOAD16_X, 0, NEXT, NEXT},
	{NEXT, IS, 445, VERSION, NEXT},
	{NEXT, IS, 139, VERSION, NEXT},
	{NEXT, LOAD16_X, 2, NEXT, NEXT},
	{NEXT, IS, 445, VERSION, NEXT},
	{NEXT, IS, 139, VERSION, TCP_PLAIN},
	{TCP_PLAIN, BPF_LD | BPF_MEM, 0, NEXT, NEXT},
	{NEXT, BPF_JMP | BPF_JA, 0, END, NEXT},

	{UDP, BPF_LDX | BPF_MEM, 1, NEXT, NEXT},
	{NEXT, BPF_LD | BPF_IMM, 8, NEXT, NEXT},
	{NEXT, BPF_ALU | BPF_ADD | BPF_X, 0, NEXT, NEXT},
	{NEXT, BPF_ST, 0, NEXT, NEXT},
	{NEXT, LOAD16_X, 0, NEXT, NEXT},
	{NEXT, IS, 161, VERSION, NEXT},
	{NEXT, IS, 162, VERSION, NEXT},
	{NEXT, LOAD16_X, 2, NEXT, NEXT},
	{NEXT, IS, 161, VERSION, NEXT},
	{NEXT, IS, 162, VERSION, EIGHT},

	{EIGHT, BPF_LD | BPF_MEM, 1, NEXT, NEXT},
	{NEXT, ADD, 8, NEXT, NEXT},
	{NEXT, BPF_JMP | BPF_JA, 0, END, NEXT},
	{FRAGMENT, BPF_LD | BPF_MEM, 1, NEXT, NEXT},
	{NEXT, BPF_JMP | BPF_JA, 0, END, NEXT},
	{VERSION, BPF_LD | BPF_MEM, 0, NEXT, NEXT},
	{NEXT, ADD, VERSION_BYTES, NEXT, NEXT},
	{END, BPF_JMP | BPF_JGT | BPF_K, PACKET_HEADER_BYTES, ALL, NEXT},
	{NEXT, BPF_RET | BPF_A, 0, NEXT, NEXT},
	{NEIGHBOUR, BPF_RET | BPF_K, L3 + 40 + 32, NEXT, NEXT},
	{ALL, BPF_RET | BPF_K, PACKET_HEADER_BYTES, NEXT, NEXT},
};
#define N_HEADERS (sizeof headers / sizeof *headers)

static unsigned way_to(enum place place, unsigned from)
{
	for (unsigned i = from + 1; place != NEXT && i < N_HEADERS; i++)
		if (headers[i].here == place)
			return i - from - 1;
	return 0;
}

static void append_headers(struct wire_filter *f)
{
	for (unsigned i = 0; i < N_HEADERS; i++) {
		struct bpf_insn *out = &f->steps[f->length++];
		const struct step *s = &headers[i];
		*out = (struct bpf_insn){.code = s->code, .k = s->k};
		if (s->code == (BPF_JMP | BPF_JA)) {
			out->k = way_to(s->yes, i);
		} else if (BPF_CLASS(s->code) == BPF_JMP) {
			out->jt = (u_char)way_to(s->yes, i);
			out->jf = (u_char)way_to(s->no, i);
		}
	}
}

/* ---- the whole ---- */

/* What matches is wide. What does not, the compiler ends with one last "return 0": there
 * the headers' own length follows instead. */
static int take_compiled(struct wire_filter *f, const struct bpf_program *program, bool ethernet,
	bool names, struct fw_err *err)
{
	unsigned n = program->bf_len, refusals = 0;
	if (n + N_HEADERS > WIRE_FILTER_MOST)
		return fw_fail(err, -E2BIG, "filter: too long");
	memcpy(f->steps, program->bf_insns, n * sizeof *f->steps);
	for (unsigned i = 0; i < n; i++) {
		struct bpf_insn *step = &f->steps[i];
		if (step->code != (BPF_RET | BPF_K))
			continue;
		refusals += step->k == 0;
		step->k = step->k == 0 ? PACKET_HEADER_BYTES
			: names        ? PACKET_HELLO_BYTES
				       : PACKET_WIDE_BYTES;
	}
	bool last = refusals == 1 && program->bf_insns[n - 1].k == 0;
	f->length = last && ethernet ? n - 1 : n;
	if (last && ethernet)
		append_headers(f);
	return 0;
}

int wire_filter_make(struct wire_filter *f, int link, bool names, struct fw_err *err)
{
	bool ethernet = link == DLT_EN10MB;
	struct bpf_program program;
	char text[1024];
	pcap_t *compiler = pcap_open_dead(link, PACKET_HELLO_BYTES);
	if (!compiler)
		return fw_fail(err, -ENOMEM, "filter: no memory");
	snprintf(text, sizeof text, "%s%s%s", WIDE, ethernet ? WIDE_LINK : "", names ? HELLO : "");
	int rc = pcap_compile(compiler, &program, text, 1, PCAP_NETMASK_UNKNOWN) < 0
		? fw_fail(err, -EINVAL, "filter: %s", pcap_geterr(compiler))
		: 0;
	if (rc == 0) {
		rc = take_compiled(f, &program, ethernet, names, err);
		pcap_freecode(&program);
	}
	pcap_close(compiler);
	return rc;
}

unsigned wire_filter_run(const struct wire_filter *f, const unsigned char *packet, unsigned length)
{
	return bpf_filter(f->steps, packet, length, length);
}
