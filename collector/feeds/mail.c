/* SPDX-License-Identifier: Apache-2.0 */
/* One mail a notice, by SMTP. Its Message-ID comes of the alert's key, its start and
 * its status: a mail sent once more is the same mail, and a close replies to its open. */
#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <fenwatch/clock.h>
#include <fenwatch/conn.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/utf8.h>

#include "feed.h"
#include "notice.h"
#include "secret.h"
#include "transfer.h"

#define SUBJECT_CHARACTERS 200
#define TEXT_CHARACTERS 4000
#define VALUE_CHARACTERS 500
#define ADDRESS_BYTES 254
#define CONTACT "contact" /* in place of an address */
#define LINE_BYTES 76     /* of quoted-printable */
#define WORD_BYTES 13     /* of text in an encoded word, each taking three */
#define NOT_BELIEVED(code) ((code) == 530 || (code) == 534 || (code) == 535 || (code) == 538)

enum security { SECURITY_STARTTLS, SECURITY_TLS, SECURITY_NONE };

struct mail {
	const char *server, *from, *user, *password_file, *ca_file;
	struct fw_text_list to;
	int security;
};

/* A mail under way. On a thread of its own: libcurl waits for the answer to a mail's end
 * where it stands, which must not be the loop. */
struct sending {
	struct fw_owner owner;
	uv_async_t ended;
	uv_thread_t thread;
	atomic_bool stopped;
	CURLcode code;
	long answer; /* the server's last */
	struct transfer transfer;
	struct delivery *delivery; /* NULL: it was cancelled */
	struct curl_slist *recipients;
	struct fw_buf text;
	size_t read;
};

extern const struct feed feed_mail;

/* ---- header ---- */

static void put_message_id(struct fw_buf *out, const struct mail *mail, const struct notice *notice,
	const char *status)
{
	fw_buf_printf(out, "<%s.%lld.%s@%s>", notice->key, (long long)notice->starts_ms, status,
		strrchr(mail->from, '@') + 1);
}

static bool is_plain(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] >= 0x7f || text[i] == '=' || text[i] == '?')
			return false;
	return true;
}

/* RFC 2047: words of whole characters, one a line. */
static void put_words(struct fw_buf *out, const char *text)
{
	const char *between = "";
	while (*text) {
		uint32_t code;
		size_t length = 0, next;
		while (text[length] &&
			length +
					(next = fw_utf8_decode(
						 text + length, strlen(text + length), &code)) <=
				WORD_BYTES)
			length += next;
		fw_buf_printf(out, "%s=?UTF-8?Q?", between);
		for (; length > 0; length--, text++) {
			if (isalnum((unsigned char)*text))
				fw_buf_putc(out, *text);
			else
				fw_buf_printf(out, "=%02X", (unsigned char)*text);
		}
		fw_buf_puts(out, "?=");
		between = "\r\n ";
	}
}

static void put_subject(struct fw_buf *out, const struct notice *notice)
{
	struct fw_buf line = {0};
	char *summary = notice_summary(notice);
	fw_buf_printf(&line, "[%s] ", severity_names[notice_severity(notice)]);
	text_put_line(&line, summary, SUBJECT_CHARACTERS);
	/* The close has the same words behind "Re:", as a reader that threads by them expects. */
	fw_buf_printf(out, "Subject: %s", notice_is_over(notice) ? "Re: " : "");
	if (is_plain((char *)line.data, line.length) && line.length <= LINE_BYTES)
		fw_buf_append(out, line.data, line.length);
	else
		put_words(out, (char *)line.data);
	fw_buf_puts(out, "\r\n");
	fw_free(summary);
	fw_buf_done(&line);
}

static void put_date(struct fw_buf *out, int64_t ms)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(ms / 1000);
	struct tm at;
	gmtime_r(&seconds, &at);
	fw_buf_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[at.tm_wday],
		at.tm_mday, months[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
}

/* Plain addresses: no names beside them, no quotes, nothing that could end a line. */
static bool is_address(const char *text)
{
	const char *at = strchr(text, '@');
	size_t length = strlen(text);
	if (!at || at == text || !at[1] || strchr(at + 1, '@') || length > ADDRESS_BYTES)
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("@.!#$%&'*+-/=?^_`{|}~", *text))
			return false;
	return true;
}

/* `contact` stands for whom the notice names; "" where it names nobody. */
static const char *recipient_at(const struct mail *mail, const struct notice *notice, size_t i)
{
	const char *to = mail->to.items[i];
	return strcmp(to, CONTACT) == 0 ? notice_annotation(notice, "contact_mail") : to;
}

static bool names_anybody(const struct mail *mail, const struct notice *notice)
{
	for (size_t i = 0; i < mail->to.count; i++)
		if (is_address(recipient_at(mail, notice, i)))
			return true;
	return false;
}

static void put_recipients(struct fw_buf *out, const struct mail *mail, const struct notice *notice)
{
	const char *before = "";
	for (size_t i = 0; i < mail->to.count; i++) {
		const char *to = recipient_at(mail, notice, i);
		if (!is_address(to))
			continue;
		fw_buf_printf(out, "%s%s", before, to);
		before = ",\r\n ";
	}
}

static void put_header(struct fw_buf *out, const struct mail *mail, const struct delivery *delivery)
{
	const struct notice *notice = delivery->notice;
	put_date(out, delivery->now_ms);
	fw_buf_printf(out, "From: Fenwatch <%s>\r\nTo: ", mail->from);
	put_recipients(out, mail, notice);
	fw_buf_puts(out, "\r\n");
	put_subject(out, notice);
	fw_buf_puts(out, "Message-ID: ");
	put_message_id(out, mail, notice, notice->status);
	if (notice_is_over(notice)) {
		fw_buf_puts(out, "\r\nIn-Reply-To: ");
		put_message_id(out, mail, notice, "firing");
		fw_buf_puts(out, "\r\nReferences: ");
		put_message_id(out, mail, notice, "firing");
	}
	fw_buf_printf(out,
		"\r\nX-Fenwatch-Key: %s\r\n"
		"Auto-Submitted: auto-generated\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
		notice->key);
}

/* ---- body ---- */

static void put_paragraph(struct fw_buf *out, const char *text)
{
	if (!*text)
		return;
	text_put_line(out, text, TEXT_CHARACTERS);
	fw_buf_puts(out, "\n\n");
}

static void put_text(struct fw_buf *out, const struct notice *notice)
{
	char at[32];
	char *summary = notice_summary(notice);
	put_paragraph(out, summary);
	put_paragraph(out, notice_annotation(notice, "description"));
	size_t before = out->length;
	notice_put_register(out, notice);
	if (out->length > before)
		fw_buf_putc(out, '\n');
	fw_buf_printf(out, "%s since %s\n", notice->status,
		fw_time_format(notice_is_over(notice) ? notice->ends_ms : notice->starts_ms, at,
			sizeof at));
	for (size_t i = 0; i < notice->n_labels; i++) {
		fw_buf_printf(out, "%s: ", notice->labels[i].name);
		text_put_line(out, notice->labels[i].value, VALUE_CHARACTERS);
		fw_buf_putc(out, '\n');
	}
	fw_buf_printf(out, "\n%s\n%s\n", notice->generator_url, notice->key);
	fw_free(summary);
}

static void put_quoted(struct fw_buf *out, const char *text)
{
	size_t column = 0;
	for (; *text; text++) {
		bool ends = text[1] == '\n' || !text[1];
		bool plain = *text > ' ' && *text < 0x7f && *text != '=';
		if (*text == '\n') {
			fw_buf_puts(out, "\r\n");
			column = 0;
			continue;
		}
		plain = (plain && !(*text == '.' && column == 0)) || (*text == ' ' && !ends);
		if (column + (plain ? 1 : 3) >= LINE_BYTES) {
			fw_buf_puts(out, "=\r\n");
			column = 0;
		}
		fw_buf_printf(out, plain ? "%c" : "=%02X", (unsigned char)*text);
		column += plain ? 1 : 3;
	}
}

static void put_mail(struct fw_buf *out, const struct mail *mail, const struct delivery *delivery)
{
	struct fw_buf text = {0};
	put_header(out, mail, delivery);
	put_text(&text, delivery->notice);
	put_quoted(out, (char *)text.data);
	fw_buf_done(&text);
}

/* ---- sending ---- */

static void on_closed(struct fw_owner *owner)
{
	struct sending *sending = FW_CONTAINER(owner, struct sending, owner);
	curl_easy_cleanup(sending->transfer.easy);
	curl_slist_free_all(sending->recipients);
	fw_buf_done(&sending->text);
	fw_free(sending);
}

/* The delivery's part in it is over; its own may go on until the thread has ended. */
static void finish(struct sending *sending, enum verdict verdict, const char *why)
{
	struct delivery *delivery = sending->delivery;
	sending->delivery = NULL;
	if (!delivery)
		return;
	delivery->state = NULL;
	feed_finish(delivery, verdict, why);
}

static size_t on_wanted(char *space, size_t size, size_t n, void *arg)
{
	struct sending *sending = arg;
	size_t left = sending->text.length - sending->read;
	size_t taken = left < size * n ? left : size * n;
	memcpy(space, sending->text.data + sending->read, taken);
	sending->read += taken;
	return taken;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct sending *sending = arg;
	(void)a, (void)b, (void)c, (void)d;
	return atomic_load(&sending->stopped);
}

static void run(void *arg)
{
	struct sending *sending = arg;
	sending->code = curl_easy_perform(sending->transfer.easy);
	curl_easy_getinfo(sending->transfer.easy, CURLINFO_RESPONSE_CODE, &sending->answer);
	curl_easy_cleanup(sending->transfer.easy); /* it waits for a goodbye, too */
	sending->transfer.easy = NULL;
	uv_async_send(&sending->ended);
}

/* A 5xx is the server's last word, but for one about who we are. */
static void on_ended(uv_async_t *ended)
{
	struct sending *sending = FW_CONTAINER(ended, struct sending, ended);
	char why[CURL_ERROR_SIZE + 32];
	uv_thread_join(&sending->thread);
	long answer = sending->answer;
	bool refused =
		answer / 100 == 5 && !NOT_BELIEVED(answer) && sending->code != CURLE_LOGIN_DENIED;
	snprintf(why, sizeof why, "%s (SMTP %ld)",
		*sending->transfer.error ? sending->transfer.error
					 : curl_easy_strerror(sending->code),
		answer);
	finish(sending, sending->code == CURLE_OK ? DELIVERED : refused ? REFUSED : TRY_LATER, why);
	fw_owner_close(&sending->owner);
}

static bool take_recipients(struct sending *sending, const struct mail *mail)
{
	bool whole = true;
	for (size_t i = 0; whole && i < mail->to.count; i++) {
		const char *to = recipient_at(mail, sending->delivery->notice, i);
		if (!is_address(to))
			continue;
		struct curl_slist *longer = curl_slist_append(sending->recipients, to);
		whole = longer;
		if (longer)
			sending->recipients = longer;
	}
	return whole;
}

static void set_options(struct sending *sending, const struct mail *mail, const char *password)
{
	CURL *easy = sending->transfer.easy;
	char *url = fw_format(
		"%s://%s", mail->security == SECURITY_TLS ? "smtps" : "smtp", mail->server);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_USE_SSL,
		(long)(mail->security == SECURITY_NONE ? CURLUSESSL_NONE : CURLUSESSL_ALL));
	if (mail->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, mail->ca_file);
	if (mail->user) {
		curl_easy_setopt(easy, CURLOPT_USERNAME, mail->user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, password);
	}
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, mail->from);
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, sending->recipients);
	/* One that is refused leaves the others their mail. */
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_wanted);
	curl_easy_setopt(easy, CURLOPT_READDATA, sending);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, sending);
	fw_free(url);
}

static int begin(struct sending *sending, const struct mail *mail, struct fw_err *err)
{
	struct fw_secret password;
	int rc = fw_secret_read(&password, mail->password_file, err);
	if (rc < 0)
		return rc;
	if (transfer_init(&sending->transfer) < 0 || !take_recipients(sending, mail)) {
		rc = fw_fail(err, -ENOMEM, "libcurl does not begin");
	} else {
		set_options(sending, mail, password.text);
		rc = uv_thread_create(&sending->thread, run, sending);
		if (rc < 0)
			fw_fail_sys(err, rc, "no thread for it");
	}
	fw_secret_wipe(&password);
	return rc;
}

static void deliver(struct delivery *delivery)
{
	const struct mail *mail = delivery->config;
	struct sending *sending = fw_alloc(sizeof *sending);
	struct fw_err err;
	delivery->state = sending;
	sending->delivery = delivery;
	fw_owner_init(&sending->owner, on_closed);
	uv_async_init(delivery->loop, &sending->ended, on_ended);
	fw_owner_adopt(&sending->owner, &sending->ended);
	put_mail(&sending->text, mail, delivery);
	if (!names_anybody(mail, delivery->notice))
		finish(sending, REFUSED, "there is no contact with a mail address");
	else if (begin(sending, mail, &err) == 0)
		return;
	else
		finish(sending, TRY_LATER, err.text);
	fw_owner_close(&sending->owner);
}

/* libcurl looks at `stopped` every second. */
static void cancel(struct delivery *delivery)
{
	struct sending *sending = delivery->state;
	atomic_store(&sending->stopped, true);
	finish(sending, TRY_LATER, "it was interrupted");
}

/* ---- the configuration ---- */

static int check_server(const struct mail *mail, struct fw_err *err)
{
	char host[ADDRESS_BYTES];
	unsigned port;
	if (fw_split_host_port(mail->server, host, sizeof host, &port) < 0 ||
		strpbrk(mail->server, "/@ "))
		return fw_fail(err, -EINVAL, "server: write it like mail.example:587, not '%.60s'",
			mail->server);
	if (!mail->user != !mail->password_file)
		return fw_fail(err, -EINVAL, "user and password_file belong together");
	if (mail->user && mail->security == SECURITY_NONE)
		return fw_fail(err, -EINVAL, "a password is not sent without TLS");
	return 0;
}

static int check(const void *config, struct fw_err *err)
{
	const struct mail *mail = config;
	if (!is_address(mail->from))
		return fw_fail(err, -EINVAL, "from: '%.60s' is no mail address", mail->from);
	if (mail->to.count == 0)
		return fw_fail(err, -EINVAL, "to: nobody is named");
	for (size_t i = 0; i < mail->to.count; i++)
		if (strcmp(mail->to.items[i], CONTACT) != 0 && !is_address(mail->to.items[i]))
			return fw_fail(
				err, -EINVAL, "to: '%.60s' is no mail address", mail->to.items[i]);
	return check_server(mail, err);
}

static const char *const securities[] = {"starttls", "tls", "none", NULL};

static const struct fw_option options[] = {
	{
		.name = "server",
		.help = "Who takes the mails, HOST:PORT.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct mail, server),
		.required = true,
	},
	{
		.name = "security",
		.help = "TLS after STARTTLS, from the start, or none.",
		.type = FW_OPT_CHOICE,
		.choices = securities,
		.offset = offsetof(struct mail, security),
		.fallback = "starttls",
	},
	{
		.name = "from",
		.help = "The sender's address; its domain is that of Message-IDs, too.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct mail, from),
		.required = true,
	},
	{
		.name = "to",
		.help = "The recipients' addresses; 'contact' is the one that the notice names.",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct mail, to),
		.required = true,
	},
	{
		.name = "user",
		.help = "Whom to log in as.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct mail, user),
	},
	{
		.name = "password_file",
		.help = "A file with the password.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct mail, password_file),
	},
	{
		.name = "ca_file",
		.help = "Certificates (PEM) to believe instead of the system's.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct mail, ca_file),
	},
	{0},
};

const struct feed feed_mail = {
	.name = "mail",
	.help = "one mail a notice by SMTP, a close in reply to its open",
	.options = options,
	.config_size = sizeof(struct mail),
	.check = check,
	.deliver = deliver,
	.cancel = cancel,
	.at_once = 1,
};
