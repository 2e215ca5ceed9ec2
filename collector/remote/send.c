/* SPDX-License-Identifier: Apache-2.0 */
#include "send.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/text.h>

#include "bodies.h"
#include "encode.h"
#include "filter.h"
#include "follow.h"
#include "state.h"

#define SAMPLES_A_REQUEST 2000
#define GATHER_MS 1000 /* how long a request waits to be full */
#define LOOK_EVERY_MS 100
#define TIMEOUT_MS 30000
#define CONNECT_MS 10000
#define PAUSE_LEAST_MS 500
#define PAUSE_MOST_MS 30000
#define SAVE_EVERY_MS 1000
#define TELL_EVERY_MS 60000
#define TOKEN_LIMIT 4096

struct sender {
	const struct send_receiver *receiver;
	struct store *store;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	atomic_bool stopping;
	_Atomic uint64_t position; /* up to which all is answered */
	uint64_t saved;            /* the main thread's */
	_Atomic uint64_t samples, requests, retries, dropped, gaps;
	/* ---- the thread's ---- */
	struct store_follower *follower;
	struct encoder encoder;
	struct fw_buf plain, body;
	struct fw_arena arena;
	struct filter *filters; /* one a selector of `match` */
	CURL *curl;
	struct curl_slist *headers, *connect_to;
	int64_t told_ms;
};

struct senders {
	struct fw_owner owner;
	uv_timer_t timer;
	struct state *state;
	struct sender *all;
	size_t n;
	void (*on_closed)(void *arg);
	void *arg;
};

/* ---- configuration ---- */

static const char *const compressions[] = {"snappy", "zstd", NULL};

#define TLS(member) \
	(offsetof(struct send_receiver, tls.member) - offsetof(struct send_receiver, tls))
static const struct fw_option tls_table[] = {
	{
		.name = "ca",
		.help = "file with the authorities that may vouch for it, in PEM; by default the system's",
		.type = FW_OPT_TEXT,
		.offset = TLS(ca),
	},
	{
		.name = "cert",
		.help = "file with a certificate to show to it, in PEM",
		.type = FW_OPT_TEXT,
		.offset = TLS(cert),
	},
	{
		.name = "key",
		.help = "file with the certificate's key, in PEM",
		.type = FW_OPT_TEXT,
		.offset = TLS(key),
	},
	{
		.name = "server_name",
		.help = "the name in its certificate, where that is not the URL's",
		.type = FW_OPT_TEXT,
		.offset = TLS(server_name),
	},
	{0},
};

static const struct fw_option receiver_table[] = {
	{
		.name = "url",
		.help = "where to, such as https://metrics.example/api/v1/write",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct send_receiver, url),
		.required = true,
	},
	{
		.name = "name",
		.help = "what it is called here; by default its URL",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct send_receiver, name),
	},
	{
		.name = "protocol",
		.help = "remote_write 1.0 or 2.0",
		.type = FW_OPT_INT,
		.offset = offsetof(struct send_receiver, protocol),
		.fallback = "1",
		.min = 1,
		.max = 2,
	},
	{
		.name = "compression",
		.help = "zstd where the receiver takes it",
		.type = FW_OPT_CHOICE,
		.offset = offsetof(struct send_receiver, compression),
		.choices = compressions,
		.fallback = "snappy",
	},
	{
		.name = "token_file",
		.help = "file with a token, sent as Authorization: Bearer",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct send_receiver, token_file),
	},
	{
		.name = "user",
		.help = "who to say we are, with a password",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct send_receiver, user),
	},
	{
		.name = "password_file",
		.help = "file with that user's password",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct send_receiver, password_file),
	},
	{
		.name = "match",
		.help = "selectors: series that one of them takes are sent; by default all",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct send_receiver, match),
	},
	{
		.name = "tls",
		.help = "who vouches for it, and for us",
		.type = FW_OPT_SECTION,
		.offset = offsetof(struct send_receiver, tls),
		.section = tls_table,
	},
	{0},
};

static int init_filter(
	const char *selector, struct fw_arena *arena, struct filter *out, struct fw_err *err)
{
	struct node *node;
	int rc = promql_parse_selector(selector, arena, &node, err);
	if (rc >= 0)
		rc = filter_init(out, node->selector.matchers, node->selector.n_matchers, err);
	return rc < 0 ? fw_fail_in(err, rc, "match '%.100s'", selector) : 0;
}

static int check_match(
	const struct fw_yaml *node, const struct send_receiver *receiver, struct fw_err *err)
{
	struct fw_arena arena = {0};
	struct fw_err why;
	int rc = 0;
	for (size_t i = 0; i < receiver->match.count && rc >= 0; i++) {
		struct filter filter;
		rc = init_filter(receiver->match.items[i], &arena, &filter, &why);
		if (rc >= 0)
			filter_done(&filter);
	}
	fw_arena_done(&arena);
	return rc < 0 ? fw_yaml_fail(node, err, "%s", why.text) : 0;
}

static int check_receiver(
	const struct fw_yaml *node, const struct send_receiver *r, struct fw_err *err)
{
	bool plain = strncmp(r->url, "http://", 7) == 0;
	if (!plain && strncmp(r->url, "https://", 8) != 0)
		return fw_yaml_fail(
			node, err, "url '%.100s' begins with neither http:// nor https://", r->url);
	if (plain && (r->tls.ca || r->tls.cert || r->tls.key || r->tls.server_name))
		return fw_yaml_fail(node, err, "'tls' needs a url that begins with https://");
	if (!r->tls.cert != !r->tls.key)
		return fw_yaml_fail(node, err, "'tls' needs 'cert' and 'key', or neither");
	if (!r->user != !r->password_file)
		return fw_yaml_fail(node, err, "'user' and 'password_file' go together");
	if (r->user && r->token_file)
		return fw_yaml_fail(node, err, "either 'token_file' or 'user', not both");
	return check_match(node, r, err);
}

static int parse_receiver(const struct fw_yaml *node, struct send_receiver *out,
	struct fw_arena *arena, struct fw_err *err)
{
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(node, err, "a receiver is a mapping: {url: https://...}");
	int rc = fw_conf_bind(node, receiver_table, out, arena, err);
	if (rc < 0)
		return rc;
	if (!out->name)
		out->name = out->url;
	return check_receiver(node, out, err);
}

int send_parse(const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct send_options *options = field;
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(node, err, "remote_write is a list: [{url: https://...}, ...]");
	options->n_receivers = fw_yaml_count(node);
	options->receivers =
		fw_arena_alloc(arena, (options->n_receivers + 1) * sizeof *options->receivers);
	for (size_t i = 0; i < options->n_receivers; i++) {
		const struct fw_yaml *item = fw_yaml_item(node, i);
		int rc = parse_receiver(item, &options->receivers[i], arena, err);
		if (rc < 0)
			return rc;
		for (size_t k = 0; k < i; k++)
			if (strcmp(options->receivers[k].name, options->receivers[i].name) == 0)
				return fw_yaml_fail(item, err, "two receivers are called '%.100s'",
					options->receivers[i].name);
	}
	return 0;
}

/* ---- requests ---- */

static void pause_for(struct sender *s, int64_t ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&s->lock);
	while (!s->stopping && pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0)
		;
	pthread_mutex_unlock(&s->lock);
}

static void tell(struct sender *s, const char *what, const char *why)
{
	int64_t now_ms = fw_mono_ms();
	char text[300];
	if (s->told_ms && now_ms - s->told_ms < TELL_EVERY_MS)
		return;
	s->told_ms = now_ms;
	fw_log(FW_WARNING, "remote_write to '%s': %s%s%s", s->receiver->name, what,
		*why ? ": " : "", fw_escape(why, text, sizeof text));
}

struct answer {
	char text[256];
	size_t length;
};

static size_t on_answer(char *data, size_t size, size_t n, void *arg)
{
	struct answer *answer = arg;
	size_t room = sizeof answer->text - 1 - answer->length, length = size * n;
	size_t kept = length < room ? length : room;
	memcpy(answer->text + answer->length, data, kept);
	answer->length += kept;
	answer->text[answer->length] = '\0';
	return length;
}

static int on_progress(
	void *arg, curl_off_t down, curl_off_t downed, curl_off_t up, curl_off_t upped)
{
	const struct sender *s = arg;
	(void)down;
	(void)downed;
	(void)up;
	(void)upped;
	return s->stopping;
}

static long post(struct sender *s, struct answer *answer)
{
	CURL *curl = s->curl;
	long status = 0;
	*answer = (struct answer){.length = 0};
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, s->body.data);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)s->body.length);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	CURLcode code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	else
		snprintf(answer->text, sizeof answer->text, "%s", curl_easy_strerror(code));
	return status;
}

static int64_t pause_of(struct sender *s, int64_t pause_ms)
{
	curl_off_t wanted_s = 0;
	curl_easy_getinfo(s->curl, CURLINFO_RETRY_AFTER, &wanted_s);
	if (wanted_s <= 0)
		return pause_ms;
	return wanted_s * 1000 < PAUSE_MOST_MS ? wanted_s * 1000 : PAUSE_MOST_MS;
}

/* Until it is answered for good. False: stopping. */
static bool deliver(struct sender *s)
{
	struct answer answer;
	for (int64_t pause_ms = PAUSE_LEAST_MS; !s->stopping;) {
		long status = post(s, &answer);
		s->requests++;
		if (status / 100 == 2) {
			s->samples += s->encoder.n_samples;
			return true;
		}
		if (status != 0 && status != 429 && status / 100 != 5) {
			s->dropped += s->encoder.n_samples;
			tell(s, "samples were refused and are dropped", answer.text);
			return true;
		}
		if (s->stopping)
			return false;
		s->retries++;
		tell(s, "no luck, and it is tried again", answer.text);
		pause_for(s, pause_of(s, pause_ms));
		pause_ms = 2 * pause_ms < PAUSE_MOST_MS ? 2 * pause_ms : PAUSE_MOST_MS;
	}
	return false;
}

/* ---- the thread ---- */

static void on_sweeps(const struct store_followed *sweeps, void *arg)
{
	struct sender *s = arg;
	encode_sweeps(&s->encoder, sweeps);
}

/* Fills a request, or returns with what there is after a while. */
static void gather(struct sender *s)
{
	int64_t since_ms = 0;
	encode_begin(&s->encoder, s->receiver->protocol == 2);
	while (!s->stopping && s->encoder.n_samples < SAMPLES_A_REQUEST) {
		int rc = store_follow_next(s->follower, on_sweeps, s);
		if (rc == 1)
			continue;
		if (rc == -ENODATA) {
			s->gaps++;
			tell(s, "the log has gone past it: some samples will never be sent", "");
			continue;
		}
		int64_t now_ms = fw_mono_ms();
		if (since_ms == 0)
			since_ms = now_ms;
		if (now_ms - since_ms >= GATHER_MS)
			return;
		pause_for(s, LOOK_EVERY_MS);
	}
}

static void *on_thread(void *arg)
{
	struct sender *s = arg;
	s->follower = store_follow(s->store, s->position);
	while (!s->stopping) {
		gather(s);
		bool done = true;
		if (s->encoder.n_samples > 0) {
			encode_end(&s->encoder, &s->plain);
			body_pack((enum body_packing)s->receiver->compression, &s->plain, &s->body);
			done = deliver(s);
		}
		if (done && !s->stopping)
			s->position = store_follow_position(s->follower);
	}
	store_unfollow(s->follower);
	return NULL;
}

/* ---- opening ---- */

static bool add_header(struct sender *s, const char *line)
{
	struct curl_slist *longer = curl_slist_append(s->headers, line);
	if (longer)
		s->headers = longer;
	return longer;
}

/* The first line of a file with a secret. */
static int read_secret(const char *path, char secret[TOKEN_LIMIT + 1], struct fw_err *err)
{
	struct fw_buf text = {0};
	int rc = fw_file_read(path, TOKEN_LIMIT, &text, err);
	if (rc >= 0)
		snprintf(secret, TOKEN_LIMIT + 1, "%.*s",
			(int)strcspn((const char *)text.data, "\r\n"), (const char *)text.data);
	fw_buf_done(&text);
	return rc < 0 ? rc : 0;
}

static int add_authorization(struct sender *s, struct fw_err *err)
{
	const struct send_receiver *r = s->receiver;
	char secret[TOKEN_LIMIT + 1];
	if (!r->token_file && !r->user)
		return 0;
	int rc = read_secret(r->user ? r->password_file : r->token_file, secret, err);
	if (rc < 0)
		return rc;
	if (r->user) {
		curl_easy_setopt(s->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(s->curl, CURLOPT_USERNAME, r->user);
		curl_easy_setopt(s->curl, CURLOPT_PASSWORD, secret);
	} else {
		curl_easy_setopt(s->curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		curl_easy_setopt(s->curl, CURLOPT_XOAUTH2_BEARER, secret);
	}
	explicit_bzero(secret, sizeof secret);
	return 0;
}

/* The certificate is checked against another name: it is asked for by that, where it is. */
static int set_server_name(struct sender *s, const char *name, struct fw_err *err)
{
	CURLU *url = curl_url();
	char *host = NULL, *port = NULL, *whole = NULL, *to = NULL;
	if (url && !curl_url_set(url, CURLUPART_URL, s->receiver->url, 0) &&
		!curl_url_get(url, CURLUPART_HOST, &host, 0) &&
		!curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
		!curl_url_set(url, CURLUPART_HOST, name, 0) &&
		!curl_url_get(url, CURLUPART_URL, &whole, 0))
		to = fw_format("%s:%s:%s:%s", name, port, host, port);
	s->connect_to = to ? curl_slist_append(NULL, to) : NULL;
	if (s->connect_to) {
		curl_easy_setopt(s->curl, CURLOPT_URL, whole);
		curl_easy_setopt(s->curl, CURLOPT_CONNECT_TO, s->connect_to);
	}
	fw_free(to);
	curl_free(host);
	curl_free(port);
	curl_free(whole);
	curl_url_cleanup(url);
	return s->connect_to ? 0 : fw_fail(err, -EINVAL, "no sensible URL or server name");
}

static int check_readable(const char *path, struct fw_err *err)
{
	int rc = path && access(path, R_OK) < 0 ? -errno : 0;
	return rc < 0 ? fw_fail_sys(err, rc, "cannot read '%s'", path) : 0;
}

static int set_tls(struct sender *s, struct fw_err *err)
{
	const struct send_receiver *r = s->receiver;
	int rc = check_readable(r->tls.ca, err);
	if (rc >= 0)
		rc = check_readable(r->tls.cert, err);
	if (rc >= 0)
		rc = check_readable(r->tls.key, err);
	if (rc < 0)
		return rc;
	if (r->tls.ca)
		curl_easy_setopt(s->curl, CURLOPT_CAINFO, r->tls.ca);
	if (r->tls.cert) {
		curl_easy_setopt(s->curl, CURLOPT_SSLCERT, r->tls.cert);
		curl_easy_setopt(s->curl, CURLOPT_SSLKEY, r->tls.key);
	}
	return r->tls.server_name ? set_server_name(s, r->tls.server_name, err) : 0;
}

/* ---- which series ---- */

static bool takes(const void *arg, const struct fw_label *labels, size_t n)
{
	const struct sender *s = arg;
	for (size_t i = 0; i < s->receiver->match.count; i++)
		if (filter_takes(&s->filters[i], labels, n))
			return true;
	return false;
}

static int open_filters(struct sender *s, struct fw_err *err)
{
	size_t n = s->receiver->match.count;
	int rc = 0;
	s->filters = fw_arena_alloc(&s->arena, n * sizeof *s->filters + 1);
	for (size_t i = 0; i < n && rc >= 0; i++)
		rc = init_filter(s->receiver->match.items[i], &s->arena, &s->filters[i], err);
	s->encoder.takes = n > 0 ? takes : NULL;
	s->encoder.arg = s;
	return rc;
}

static int make_request(struct sender *s, struct fw_err *err)
{
	const struct send_receiver *r = s->receiver;
	bool is_2 = r->protocol == 2;
	s->curl = curl_easy_init();
	if (!s->curl ||
		!add_header(s,
			r->compression ? "Content-Encoding: zstd" : "Content-Encoding: snappy") ||
		!add_header(s,
			is_2 ? "Content-Type: application/x-protobuf;"
			       "proto=io.prometheus.write.v2.Request"
			     : "Content-Type: application/x-protobuf") ||
		!add_header(s,
			is_2 ? "X-Prometheus-Remote-Write-Version: 2.0.0"
			     : "X-Prometheus-Remote-Write-Version: 0.1.0") ||
		!add_header(s, "Expect:"))
		return fw_fail(err, -ENOMEM, "remote_write: no memory");
	curl_easy_setopt(s->curl, CURLOPT_URL, r->url);
	curl_easy_setopt(s->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(s->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(s->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(s->curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(s->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(s->curl, CURLOPT_USERAGENT, "Fenwatch/" FW_VERSION);
	curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(s->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(s->curl, CURLOPT_XFERINFODATA, s);
	curl_easy_setopt(s->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
	int rc = add_authorization(s, err);
	if (rc >= 0)
		rc = set_tls(s, err);
	if (rc >= 0)
		rc = open_filters(s, err);
	return rc < 0 ? fw_fail_in(err, rc, "remote_write to '%s'", r->name) : 0;
}

/* ---- where each is, in the state ---- */

static const char *const steps[] = {
	"CREATE TABLE remote_write (name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT",
};

static int save(struct senders *senders, struct sender *s, struct fw_err *err)
{
	uint64_t position = s->position;
	if (position == s->saved)
		return 0;
	int rc = state_run(senders->state, err,
		"INSERT INTO remote_write (name, position) VALUES (?, ?)"
		" ON CONFLICT (name) DO UPDATE SET position = excluded.position",
		"ti", s->receiver->name, (int64_t)position);
	if (rc >= 0)
		s->saved = position;
	return rc;
}

/* One that is new begins with what comes from now on, and so does one of another store. */
static int load(struct senders *senders, struct sender *s, struct fw_err *err)
{
	sqlite3_stmt *row;
	uint64_t end = store_durable_position(s->store);
	int rc = state_query(senders->state, &row, err,
		"SELECT position FROM remote_write WHERE name = ?", "t", s->receiver->name);
	if (rc < 0)
		return rc;
	rc = state_step(senders->state, row, err);
	uint64_t known = rc > 0 ? (uint64_t)sqlite3_column_int64(row, 0) : end;
	state_done(row);
	s->position = known < end ? known : end;
	return rc < 0 ? rc : save(senders, s, err);
}

static void on_timer(uv_timer_t *timer)
{
	struct senders *senders = FW_CONTAINER(timer, struct senders, timer);
	struct fw_err err;
	for (size_t i = 0; i < senders->n; i++)
		if (save(senders, &senders->all[i], &err) < 0)
			fw_log(FW_WARNING, "remote_write: %s", err.text);
}

/* ---- life ---- */

static void end_thread(struct sender *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

static void free_sender(struct sender *s)
{
	curl_easy_cleanup(s->curl);
	curl_slist_free_all(s->headers);
	curl_slist_free_all(s->connect_to);
	for (size_t i = 0; s->filters && i < s->receiver->match.count; i++)
		filter_done(&s->filters[i]);
	fw_arena_done(&s->arena);
	encoder_done(&s->encoder);
	fw_buf_done(&s->plain);
	fw_buf_done(&s->body);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
}

static int open_sender(struct senders *senders, struct sender *s, struct fw_err *err)
{
	int rc = make_request(s, err);
	if (rc >= 0)
		rc = load(senders, s, err);
	if (rc >= 0) {
		rc = -pthread_create(&s->thread, NULL, on_thread, s);
		s->has_thread = rc == 0;
	}
	return rc;
}

static void init_sender(struct sender *s, struct store *store, const struct send_receiver *receiver)
{
	pthread_condattr_t monotonic;
	s->receiver = receiver;
	s->store = store;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

static void on_owner_done(struct fw_owner *owner)
{
	struct senders *senders = (struct senders *)owner;
	void (*on_closed)(void *arg) = senders->on_closed;
	void *arg = senders->arg;
	for (size_t i = 0; i < senders->n; i++)
		free_sender(&senders->all[i]);
	fw_free(senders->all);
	fw_free(senders);
	if (on_closed)
		on_closed(arg);
}

int senders_open(struct senders **out, uv_loop_t *loop, struct store *store, struct state *state,
	const struct send_options *options, struct fw_err *err)
{
	struct senders *senders = fw_alloc(sizeof *senders);
	senders->state = state;
	senders->n = options->n_receivers;
	senders->all = fw_alloc_array(senders->n + 1, sizeof *senders->all);
	fw_owner_init(&senders->owner, on_owner_done);
	uv_timer_init(loop, &senders->timer);
	fw_owner_adopt(&senders->owner, &senders->timer);
	for (size_t i = 0; i < senders->n; i++) {
		init_sender(&senders->all[i], store, &options->receivers[i]);
		senders->all[i].encoder.external = options->external;
		senders->all[i].encoder.n_external = options->n_external;
	}
	int rc = state_migrate(state, "remote_write", steps, 1, err);
	for (size_t i = 0; i < senders->n && rc >= 0; i++)
		rc = open_sender(senders, &senders->all[i], err);
	*out = senders;
	if (rc >= 0)
		uv_timer_start(&senders->timer, on_timer, SAVE_EVERY_MS, SAVE_EVERY_MS);
	return rc;
}

void senders_close(struct senders *senders, void (*on_closed)(void *arg), void *arg)
{
	senders->on_closed = on_closed;
	senders->arg = arg;
	for (size_t i = 0; i < senders->n; i++)
		end_thread(&senders->all[i]);
	for (size_t i = 0; i < senders->n; i++)
		if (senders->all[i].has_thread)
			pthread_join(senders->all[i].thread, NULL);
	on_timer(&senders->timer);
	fw_owner_close(&senders->owner);
}

bool senders_stat(struct senders *senders, size_t i, struct send_stat *out)
{
	if (!senders || i >= senders->n)
		return false;
	struct sender *s = &senders->all[i];
	uint64_t end = store_durable_position(s->store), position = s->position;
	*out = (struct send_stat){
		.name = s->receiver->name,
		.samples = s->samples,
		.requests = s->requests,
		.retries = s->retries,
		.dropped = s->dropped,
		.gaps = s->gaps,
		.behind_bytes = end > position ? end - position : 0,
	};
	return true;
}
