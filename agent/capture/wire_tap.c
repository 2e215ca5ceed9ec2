/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_tap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pcap/pcap.h>

#include <fenwatch/mem.h>

#include "wire_filter.h"

#define WAKE_MS 200 /* packets wait for each other that long */
#define MAGIC_NEWER 0x0a0d0d0au

struct wire_tap {
	pcap_t *pcap;
	int link;
	bool names, file;
	void (*take)(const struct packet *p, void *arg);
	void *arg;
	struct wire_tap_counts counts;
	struct pcap_stat last;
};

static int fail(struct wire_tap *t, const char *what, int rc, struct fw_err *err)
{
	return fw_fail(err, rc, "'%s': %s", what, pcap_geterr(t->pcap));
}

static int set_lengths(struct wire_tap *t, struct fw_err *err)
{
	struct wire_filter filter = {0};
	int rc = wire_filter_make(&filter, t->link, t->names, err);
	struct bpf_program program = {.bf_len = filter.length, .bf_insns = filter.steps};
	if (rc == 0 && pcap_setfilter(t->pcap, &program) < 0)
		rc = fail(t, "filter", -EINVAL, err);
	return rc;
}

static int begin(struct wire_tap *t, const char *name, struct fw_err *err)
{
	t->link = pcap_datalink(t->pcap);
	if (packet_knows_link(t->link))
		return 0;
	const char *link = pcap_datalink_val_to_name(t->link);
	return fw_fail(err, -ENOTSUP, "'%s': packets of the link type %s are not understood", name,
		link ? link : "without a name");
}

static int activate(
	struct wire_tap *t, const char *name, const struct wire_tap_options *o, struct fw_err *err)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_set_snaplen(t->pcap, PACKET_HELLO_BYTES);
	pcap_set_promisc(t->pcap, o->promiscuous);
	pcap_set_timeout(t->pcap, WAKE_MS);
	pcap_set_buffer_size(t->pcap, (int)o->buffer);
	int rc = pcap_activate(t->pcap);
	if (rc == PCAP_ERROR_PERM_DENIED || rc == PCAP_ERROR_PROMISC_PERM_DENIED)
		return fw_fail(
			err, -EPERM, "'%s': there is no right to capture (CAP_NET_RAW)", name);
	if (rc == PCAP_ERROR_NO_SUCH_DEVICE)
		return fw_fail(err, -ENODEV, "'%s': there is no such interface", name);
	if (rc < 0)
		return fail(t, name, -EIO, err);
	if (pcap_setnonblock(t->pcap, 1, text) < 0)
		return fw_fail(err, -EIO, "'%s': %s", name, text);
	rc = begin(t, name, err);
	return rc < 0 ? rc : set_lengths(t, err);
}

int wire_tap_open(struct wire_tap **out, const char *interface,
	const struct wire_tap_options *options, struct fw_err *err)
{
	char text[PCAP_ERRBUF_SIZE];
	struct wire_tap *t = fw_alloc(sizeof *t);
	t->names = options->names;
	t->pcap = pcap_create(interface, text);
	int rc = t->pcap ? activate(t, interface, options, err)
			 : fw_fail(err, -EIO, "'%s': %s", interface, text);
	if (rc < 0)
		wire_tap_close(t);
	else
		*out = t;
	return rc;
}

/* ---- a file ---- */

static int check_magic(FILE *file, const char *path, struct fw_err *err)
{
	uint32_t magic;
	if (fread(&magic, sizeof magic, 1, file) != 1)
		return fw_fail(err, -EINVAL, "'%s': not a pcap file", path);
	if (magic == MAGIC_NEWER)
		return fw_fail(err, -ENOTSUP,
			"'%s': a pcapng file; only pcap files are read (editcap -F pcap)", path);
	rewind(file);
	return 0;
}

int wire_tap_open_file(struct wire_tap **out, const char *path, struct fw_err *err)
{
	char text[PCAP_ERRBUF_SIZE];
	struct wire_tap *t = fw_alloc(sizeof *t);
	t->file = true;
	FILE *file = fopen(path, "re");
	int rc = file ? check_magic(file, path, err) : fw_fail_sys(err, -errno, "'%s'", path);
	if (rc == 0)
		t->pcap = pcap_fopen_offline(file, text);
	if (rc == 0 && !t->pcap)
		rc = fw_fail(err, -EINVAL, "'%s': %s", path, text);
	if (file && !t->pcap)
		fclose(file);
	if (rc == 0)
		rc = begin(t, path, err);
	if (rc < 0)
		wire_tap_close(t);
	else
		*out = t;
	return rc;
}

void wire_tap_close(struct wire_tap *t)
{
	if (!t)
		return;
	if (t->pcap)
		pcap_close(t->pcap);
	fw_free(t);
}

int wire_tap_allow_names(struct wire_tap *t, bool names, struct fw_err *err)
{
	if (t->names == names)
		return 0;
	t->names = names;
	return t->file ? 0 : set_lengths(t, err);
}

int wire_tap_fd(const struct wire_tap *t)
{
	return pcap_get_selectable_fd(t->pcap);
}

static void on_packet(u_char *user, const struct pcap_pkthdr *head, const u_char *bytes)
{
	struct wire_tap *t = (struct wire_tap *)user;
	struct packet p;
	packet_parse(&p, t->link, bytes, head->caplen, head->len, t->names);
	p.at_us = (int64_t)head->ts.tv_sec * 1000000 + head->ts.tv_usec;
	t->take(&p, t->arg);
}

int wire_tap_read(struct wire_tap *t, int most, void (*take)(const struct packet *p, void *arg),
	void *arg, struct fw_err *err)
{
	t->take = take;
	t->arg = arg;
	int n = pcap_dispatch(t->pcap, most, on_packet, (u_char *)t);
	return n < 0 ? fail(t, t->file ? "file" : "interface", -EIO, err) : n;
}

/* The kernel's counters are of 32 bits, and may come round. */
void wire_tap_counts(struct wire_tap *t, struct wire_tap_counts *out)
{
	struct pcap_stat now;
	if (!t->file && pcap_stats(t->pcap, &now) == 0) {
		t->counts.received += now.ps_recv - t->last.ps_recv;
		t->counts.dropped += now.ps_drop - t->last.ps_drop;
		t->counts.interface_dropped += now.ps_ifdrop - t->last.ps_ifdrop;
		t->last = now;
	}
	*out = t->counts;
}
