/* SPDX-License-Identifier: Apache-2.0 */
/* One message a connection, over TLS (RFC 5425). Syslog answers nothing: that
 * the receiver hung up in good order after us is the proof that it has read all. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ssl.h>

#include <fenwatch/clock.h>
#include <fenwatch/conn.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>

#include "feed.h"
#include "notice.h"

#define FACILITIES 24
#define HOST_BYTES 256
#define HOSTNAME_CHARACTERS 255 /* RFC 5424, 6 */
#define MSGID_CHARACTERS 32
#define PROCID_CHARACTERS 128
#define RESOURCE_CHARACTERS 512
#define TEXT_CHARACTERS 1024
#define REGISTER "[fenwatch@32473" /* under IANA's number for examples, as the MIB is */
#define QUEUE_BYTES (64u << 10)    /* a message and a handshake's last words */
#define WAIT_MS 10000
#define GOODBYE_MS 5000

struct syslog {
	const char *server, *ca_file;
	int64_t facility;
};

struct talk {
	struct delivery *delivery;
	struct fw_conn *conn;
	SSL_CTX *tls;
	struct fw_buf message;
	char host[HOST_BYTES];
};

extern const struct feed feed_syslog;

/* ---- RFC 5424, with RFC 5674's alarm ---- */

static const struct {
	int severity;
	const char *perceived;
} ranks[SEVERITIES] = {
	[SEVERITY_CRITICAL] = {1, "critical"},
	[SEVERITY_MAJOR] = {2, "major"},
	[SEVERITY_MINOR] = {3, "minor"},
	[SEVERITY_WARNING] = {4, "warning"},
	[SEVERITY_INFO] = {6, "indeterminate"},
};
#define CLEARED_SEVERITY 5

/* A field of the header: visible ASCII, or "-". */
static void put_field(struct fw_buf *out, const char *text, size_t most)
{
	fw_buf_putc(out, ' ');
	if (!*text)
		fw_buf_putc(out, '-');
	for (; *text && most > 0; text++, most--)
		fw_buf_putc(out, *text > ' ' && *text < 0x7f ? *text : '_');
}

static void put_parameter(struct fw_buf *out, const char *name, const char *text)
{
	struct fw_buf line = {0};
	text_put_line(&line, text, RESOURCE_CHARACTERS);
	fw_buf_printf(out, " %s=\"", name);
	for (size_t i = 0; i < line.length; i++) {
		if (strchr("\"\\]", line.data[i]))
			fw_buf_putc(out, '\\');
		fw_buf_putc(out, (char)line.data[i]);
	}
	fw_buf_putc(out, '"');
	fw_buf_done(&line);
}

/* The same from open to close: the host, and what tells its alerts apart. */
static void put_resource(struct fw_buf *out, const struct notice *notice)
{
	static const char *const left_out[] = {"instance", "job", "severity"};
	struct fw_buf text = {0};
	fw_buf_puts(&text, notice_label(notice, "instance"));
	for (size_t i = 0; i < notice->n_labels; i++) {
		bool told = false;
		for (size_t j = 0; j < sizeof left_out / sizeof *left_out; j++)
			told = told || strcmp(notice->labels[i].name, left_out[j]) == 0;
		if (!told)
			fw_buf_printf(&text, "%s%s=%s", text.length > 0 ? " " : "",
				notice->labels[i].name, notice->labels[i].value);
	}
	put_parameter(out, "resource", text.data ? (char *)text.data : "");
	fw_buf_done(&text);
}

static void put_register(struct fw_buf *out, const struct notice *notice)
{
	bool any = false;
	for (const struct notice_line *line = notice_lines; line->name; line++) {
		const char *value = notice_annotation(notice, line->name);
		if (*value && !any)
			fw_buf_puts(out, REGISTER);
		any = any || *value;
		if (*value)
			put_parameter(out, line->name, value);
	}
	if (any)
		fw_buf_putc(out, ']');
}

static void put_message(
	struct fw_buf *out, const struct syslog *syslog, const struct notice *notice)
{
	char at[32];
	bool over = notice_is_over(notice);
	enum severity rank = notice_severity(notice);
	int severity = over ? CLEARED_SEVERITY : ranks[rank].severity;
	fw_buf_printf(out, "<%lld>1 %s", (long long)syslog->facility * 8 + severity,
		fw_time_format(over ? notice->ends_ms : notice->starts_ms, at, sizeof at));
	put_field(out, notice_label(notice, "instance"), HOSTNAME_CHARACTERS);
	fw_buf_puts(out, " fenwatch");
	put_field(out, notice->key, PROCID_CHARACTERS);
	put_field(out, notice_label(notice, "alertname"), MSGID_CHARACTERS);
	fw_buf_puts(out, " [alarm");
	put_resource(out, notice);
	put_parameter(out, "probableCause", "other");
	put_parameter(out, "perceivedSeverity", over ? "cleared" : ranks[rank].perceived);
	put_parameter(out, "resourceURI", notice->generator_url);
	fw_buf_putc(out, ']');
	put_register(out, notice);
	char *summary = notice_summary(notice);
	fw_buf_puts(out, " \xef\xbb\xbf");
	text_put_line(out, summary, TEXT_CHARACTERS);
	fw_buf_printf(out, " (%s)", notice->status);
	fw_free(summary);
}

/* ---- talking ---- */

static void talk_free(struct talk *talk)
{
	fw_conn_free(talk->conn);
	SSL_CTX_free(talk->tls);
	fw_buf_done(&talk->message);
	fw_free(talk);
}

static void finish(struct delivery *delivery, enum verdict verdict, const char *why)
{
	talk_free(delivery->state);
	delivery->state = NULL;
	feed_finish(delivery, verdict, why);
}

static void on_event(struct fw_conn *conn, const struct fw_conn_happening *happening, void *arg)
{
	struct talk *talk = arg;
	if (happening->event == FW_CONN_READY) {
		fw_conn_write(conn, talk->message.data, talk->message.length);
		fw_conn_close(conn);
	} else if (happening->event == FW_CONN_ENDED) {
		char why[256];
		bool silent = strcmp(happening->why, "closed here") == 0;
		snprintf(why, sizeof why, "%s: %s", talk->host,
			silent ? "it did not hang up, so it may not have read all"
			       : happening->why);
		finish(talk->delivery, happening->confirmed ? DELIVERED : TRY_LATER, why);
	}
}

static int open_tls(SSL_CTX **out, const char *ca_file, struct fw_err *err)
{
	char reason[128];
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	if (!tls)
		return fw_fail(err, -ENOMEM, "cannot start TLS");
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	int rc = ca_file ? SSL_CTX_load_verify_file(tls, ca_file)
			 : SSL_CTX_set_default_verify_paths(tls);
	*out = tls;
	if (rc == 1)
		return 0;
	return fw_fail(err, -EINVAL, "certificates of '%.200s': %s",
		ca_file ? ca_file : "the system", fw_tls_error(reason, sizeof reason));
}

static int dial(struct talk *talk, const struct syslog *syslog, struct fw_err *err)
{
	unsigned port;
	int rc = open_tls(&talk->tls, syslog->ca_file, err);
	if (rc < 0)
		return rc;
	fw_split_host_port(syslog->server, talk->host, sizeof talk->host, &port);
	const struct fw_conn_config config = {
		.tls = talk->tls,
		.server_name = talk->host,
		.handshake_ms = WAIT_MS,
		.linger_ms = GOODBYE_MS,
		.limit = QUEUE_BYTES,
		.on_event = on_event,
		.arg = talk,
	};
	return fw_conn_dial(&talk->conn, talk->delivery->loop, syslog->server, NULL, &config, err);
}

static void deliver(struct delivery *delivery)
{
	const struct syslog *syslog = delivery->config;
	struct talk *talk = fw_alloc(sizeof *talk);
	struct fw_buf text = {0};
	struct fw_err err;
	delivery->state = talk;
	talk->delivery = delivery;
	put_message(&text, syslog, delivery->notice);
	fw_buf_printf(&talk->message, "%zu %s", text.length, (char *)text.data);
	fw_buf_done(&text);
	if (dial(talk, syslog, &err) < 0)
		finish(delivery, TRY_LATER, err.text);
}

static void cancel(struct delivery *delivery)
{
	finish(delivery, TRY_LATER, "it was interrupted");
}

/* ---- the configuration ---- */

static int check(const void *config, struct fw_err *err)
{
	const struct syslog *syslog = config;
	char host[HOST_BYTES];
	unsigned port;
	if (fw_split_host_port(syslog->server, host, sizeof host, &port) < 0)
		return fw_fail(err, -EINVAL, "server: write it like siem.example:6514, not '%.60s'",
			syslog->server);
	return 0;
}

static const struct fw_option options[] = {
	{
		.name = "server",
		.help = "Who takes syslog over TLS, HOST:PORT; its certificate must have this name.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct syslog, server),
		.required = true,
	},
	{
		.name = "ca_file",
		.help = "Certificates (PEM) to believe instead of the system's.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct syslog, ca_file),
	},
	{
		.name = "facility",
		.help = "Syslog's facility, by its number; 16 is local0.",
		.type = FW_OPT_INT,
		.offset = offsetof(struct syslog, facility),
		.fallback = "16",
		.min = 0,
		.max = FACILITIES - 1,
	},
	{0},
};

const struct feed feed_syslog = {
	.name = "syslog",
	.help = "syslog over TLS (RFC 5424, 5425) with alarm data (RFC 5674)",
	.options = options,
	.config_size = sizeof(struct syslog),
	.check = check,
	.deliver = deliver,
	.cancel = cancel,
};
