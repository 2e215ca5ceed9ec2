/* SPDX-License-Identifier: Apache-2.0 */
/* usage: bench_fleet KEY=VALUE...
 *
 * The keys are those of the table below. The join token, good for that many
 * uses, is the first line of standard input. When all are enrolled it says so
 * and obeys what comes line by line: begin, stat, mark (count anew), renew N (the
 * first N their certificates), rest (make no more sweeps), ledger FILE, leave. It answers each with one line of JSON. */
#include "fleet.h"

#include <assert.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <arpa/inet.h>
#include <openssl/pem.h>

#include <fenwatch/conn.h>
#include <fenwatch/err.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>
#include <fenwatch/tls.h>

#define ENROL_AT_ONCE 64
#define OTHER_DESCRIPTORS 50
#define LINE_BYTES 4096

static struct fleet fleet = {
	.name = "fleet",
	.n_agents = 1,
	.n_hosts = 1,
	.n_series = 200,
	.interval_ms = 60000,
	.pause_percent = 100,
	.n_addresses = 1 << 20,
};
static struct member *members;
static unsigned n_begun, n_enrolled;
static uv_pipe_t input;
static struct fw_buf lines;

void fleet_die(const char *what, const char *why)
{
	fprintf(stderr, "fleet: %s: %s\n", what, why);
	exit(1);
}

bool fleet_needs_certificates(const struct fleet *f)
{
	return f->conduct != CONDUCT_STUCK && f->conduct != CONDUCT_TRICKLE &&
		f->conduct != CONDUCT_GUESS;
}

SSL_CTX *fleet_trust(struct fleet *f, const char *ca_pem)
{
	const struct fw_tls_config config = {.ca_pem = ca_pem};
	struct fw_err err;
	for (unsigned i = 0; i < f->n_trusts; i++)
		if (strcmp(f->trusts[i].ca_pem, ca_pem) == 0)
			return f->trusts[i].tls;
	if (f->n_trusts == TRUSTS_LIMIT)
		fleet_die(f->name, "more CAs than a rollover has");
	struct trust *trust = &f->trusts[f->n_trusts++];
	trust->ca_pem = fw_strdup(ca_pem);
	if (fw_tls_client(&trust->tls, &config, &err) < 0)
		fleet_die("TLS", err.text);
	return trust->tls;
}

/* ---- what it is told on the command line ---- */

static int take_collector(const char *value)
{
	char host[254];
	unsigned port;
	if (fw_split_host_port(value, host, sizeof host, &port) < 0)
		return -1;
	fleet.collector.sin_family = AF_INET;
	fleet.collector.sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &fleet.collector.sin_addr) == 1 ? 0 : -1;
}

static int take_name(const char *value)
{
	fleet.name = value;
	return strlen(value) <= 16 ? 0 : -1;
}

static int take_address(const char *value)
{
	struct in_addr address;
	if (inet_pton(AF_INET, value, &address) != 1)
		return -1;
	fleet.first_address = ntohl(address.s_addr);
	return 0;
}

static int take_conduct(const char *value)
{
	for (int i = 0; i < CONDUCTS; i++)
		if (strcmp(value, conduct_names[i]) == 0) {
			fleet.conduct = (enum conduct)i;
			return 0;
		}
	return -1;
}

static const struct key {
	const char *name, *help;
	int (*take)(const char *value);
	unsigned *number; /* or this, from least to most */
	unsigned least, most;
} keys[] = {
	{"collector", "ADDRESS:PORT", take_collector, NULL, 0, 0},
	{"name", "what their names begin with, at most 16 bytes", take_name, NULL, 0, 0},
	{"agents", "how many", NULL, &fleet.n_agents, 1, 20000},
	{"hosts", "that each speaks for, itself included", NULL, &fleet.n_hosts, 1, 4096},
	{"series", "of each host", NULL, &fleet.n_series, 1, 5000},
	{"interval", "of sweeps, in ms", NULL, &fleet.interval_ms, 10, 3600000},
	{"jitter", "of sweeps, in ms, less than the interval", NULL, &fleet.jitter_ms, 0, 3600000},
	{"spread", "ms in which they come at first", NULL, &fleet.spread_ms, 0, 3600000},
	{"pause", "before they come back, in % of the real agent's", NULL, &fleet.pause_percent, 0,
		100},
	{"from", "the first one's own address, 127.1.0.1; one more for each", take_address, NULL, 0,
		0},
	{"addresses", "how many of them", NULL, &fleet.n_addresses, 1, 1 << 20},
	{"conduct", "good, eager, stuck, trickle, deaf or guess", take_conduct, NULL, 0, 0},
};

static int take_number(const struct key *key, const char *value)
{
	uint64_t number;
	if (fw_parse_u64(value, &number) < 0 || number < key->least || number > key->most)
		return -1;
	*key->number = (unsigned)number;
	return 0;
}

static void take_word(const char *word)
{
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		size_t length = strlen(keys[i].name);
		if (strncmp(word, keys[i].name, length) != 0 || word[length] != '=')
			continue;
		const char *value = word + length + 1;
		if ((keys[i].take ? keys[i].take(value) : take_number(&keys[i], value)) < 0)
			fleet_die(word, keys[i].help);
		return;
	}
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		fprintf(stderr, "%-10s %s\n", keys[i].name, keys[i].help);
	fleet_die(word, "there is no such key");
}

static void read_token(char *text, int size)
{
	if (!fleet_needs_certificates(&fleet) && fleet.conduct != CONDUCT_GUESS)
		return;
	if (!fgets(text, size, stdin))
		fleet_die("token", "nothing on standard input");
	text[strcspn(text, "\n")] = '\0';
	size_t head = strlen("fwj1-");
	char hex[2 * sizeof fleet.pin + 1] = "";
	if (strncmp(text, "fwj1-", head) == 0)
		snprintf(hex, sizeof hex, "%s", text + head);
	if (fw_unhex(hex, fleet.pin, sizeof fleet.pin) < 0)
		fleet_die("token", "this is not a join token");
	fleet.token = text;
}

/* ---- what it answers ---- */

static unsigned percentile(const uint64_t *latencies, unsigned percent)
{
	uint64_t all = 0, so_far = 0;
	for (unsigned i = 0; i <= LATENCIES; i++)
		all += latencies[i];
	for (unsigned i = 0; i <= LATENCIES; i++) {
		so_far += latencies[i];
		if (so_far > 0 && so_far * 100 >= all * percent)
			return i;
	}
	return 0;
}

static void say_numbers(void)
{
	const struct tally *t = &fleet.tally;
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"connected", fleet.n_connected},
		{"attempts", t->attempts},
		{"handshakes", t->handshakes},
		{"welcomes", t->welcomes},
		{"lost", t->lost},
		{"failed", t->failed},
		{"goodbyes", t->goodbyes},
		{"keys_asked", t->keys_asked},
		{"renewals", t->renewals},
		{"guesses", t->guesses},
		{"hits", t->hits},
		{"bytes_in", t->bytes_in},
		{"bytes_out", t->bytes_out},
		{"held_ms", t->held_ms},
		{"ack_p50_ms", percentile(t->latencies, 50)},
		{"ack_p99_ms", percentile(t->latencies, 99)},
	};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		printf("%s\"%s\":%llu", i ? "," : "{", numbers[i].name,
			(unsigned long long)numbers[i].value);
}

static void say_stat(void)
{
	uint64_t made = 0, acked = 0, unsettled = 0;
	for (unsigned i = 0; i < fleet.n_agents; i++) {
		const struct ledger *ledger = &members[i].ledger;
		made += ledger->next_tick * fleet.n_hosts;
		acked += ledger->acked_sweeps;
		unsettled += !ledger_is_settled(ledger);
	}
	say_numbers();
	printf(",\"made\":%llu,\"acked\":%llu,\"unsettled\":%llu}\n", (unsigned long long)made,
		(unsigned long long)acked, (unsigned long long)unsettled);
}

/* A line a host: its name, sweeps made, sweeps acknowledged. */
static void write_ledger(const char *path)
{
	FILE *out = fopen(path, "w");
	char name[64];
	if (!out)
		fleet_die(path, "cannot be written");
	for (unsigned i = 0; i < fleet.n_agents; i++)
		for (unsigned host = 0; host < fleet.n_hosts; host++) {
			const struct ledger *ledger = &members[i].ledger;
			member_name(&members[i], host, name, sizeof name);
			fprintf(out, "%s %llu %llu\n", name, (unsigned long long)ledger->next_tick,
				(unsigned long long)ledger->acked_sweeps / fleet.n_hosts);
		}
	if (fclose(out) != 0)
		fleet_die(path, "cannot be written");
	printf("{}\n");
}

static void begin(void)
{
	for (unsigned i = 0; i < fleet.n_agents; i++)
		member_begin(&members[i], (uint64_t)fleet.spread_ms * i / fleet.n_agents);
	printf("{}\n");
}

static void renew(const char *count)
{
	uint64_t n;
	if (fw_parse_u64(count, &n) < 0 || n > fleet.n_agents)
		fleet_die(count, "there are not so many to renew");
	for (unsigned i = 0; i < n; i++)
		member_renew(&members[i]);
	printf("{}\n");
}

static void leave(void)
{
	for (unsigned i = 0; i < fleet.n_agents; i++)
		member_done(&members[i]);
	uv_close((uv_handle_t *)&input, NULL);
	printf("{}\n");
}

static void obey(const char *line)
{
	if (strcmp(line, "begin") == 0) {
		begin();
	} else if (strcmp(line, "stat") == 0) {
		say_stat();
	} else if (strcmp(line, "mark") == 0) {
		fleet.tally = (struct tally){0};
		printf("{}\n");
	} else if (strcmp(line, "rest") == 0) {
		fleet.resting = true;
		printf("{}\n");
	} else if (strncmp(line, "renew ", 6) == 0) {
		renew(line + 6);
	} else if (strncmp(line, "ledger ", 7) == 0) {
		write_ledger(line + 7);
	} else if (strcmp(line, "leave") == 0) {
		leave();
	} else {
		fleet_die(line, "there is no such command");
	}
	fflush(stdout);
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	static char room[LINE_BYTES];
	(void)handle;
	(void)wanted;
	*buf = uv_buf_init(room, sizeof room);
}

static void on_input(uv_stream_t *stream, ssize_t length, const uv_buf_t *buf)
{
	(void)stream;
	if (length < 0)
		fleet_die("standard input", "it has ended before it said leave");
	fw_buf_append(&lines, buf->base, (size_t)length);
	char *end;
	while (lines.length > 0 && (end = memchr(lines.data, '\n', lines.length))) {
		*end = '\0';
		size_t used = (size_t)(end + 1 - (char *)lines.data);
		obey((char *)lines.data);
		fw_buf_consume(&lines, used);
	}
}

/* ---- the beginning ---- */

static void ready(void)
{
	printf("{\"enrolled\":%u}\n", n_enrolled);
	fflush(stdout);
	uv_pipe_init(&fleet.loop, &input, 0);
	uv_pipe_open(&input, STDIN_FILENO);
	uv_read_start((uv_stream_t *)&input, on_room, on_input);
}

static void enrol_next(void)
{
	if (n_begun < fleet.n_agents)
		member_enrol(&members[n_begun++]);
}

static void on_enrolled(struct fleet *f)
{
	(void)f;
	if (++n_enrolled == fleet.n_agents)
		ready();
	else
		enrol_next();
}

static void open_tls(void)
{
	struct fw_tls_config config = {.pin = fleet.pin};
	struct fw_err err;
	if (fw_tls_client(&fleet.enrolling, &config, &err) < 0 ||
		fw_key_new(&fleet.key_pem, &err) < 0)
		fleet_die("TLS", err.text);
	BIO *bio = BIO_new_mem_buf(fleet.key_pem.data, (int)fleet.key_pem.length);
	fleet.key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	assert(fleet.key);
}

static void raise_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		fleet_die("descriptors", "their limit is not known");
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < fleet.n_agents + OTHER_DESCRIPTORS)
		fleet_die("descriptors", "too few may be open for so many agents");
}

static void open_fleet(struct fw_arena *arena)
{
	uv_loop_init(&fleet.loop);
	open_tls();
	facts_schema(&fleet, arena);
	fleet.is_talkative = getenv("FLEET_TALKATIVE") != NULL;
	fleet.cells =
		fw_alloc_array((size_t)(BACKLOG_SWEEPS + 1) * fleet.n_series, sizeof(int64_t));
	fleet.on_enrolled = on_enrolled;
	members = fw_alloc_array(fleet.n_agents, sizeof *members);
	for (unsigned i = 0; i < fleet.n_agents; i++)
		member_init(&members[i], &fleet, i);
	if (!fleet_needs_certificates(&fleet))
		ready();
	for (unsigned i = 0; i < ENROL_AT_ONCE && fleet_needs_certificates(&fleet); i++)
		enrol_next();
}

static void close_fleet(void)
{
	int rc = uv_loop_close(&fleet.loop);
	assert(rc == 0);
	SSL_CTX_free(fleet.enrolling);
	for (unsigned i = 0; i < fleet.n_trusts; i++) {
		SSL_CTX_free(fleet.trusts[i].tls);
		fw_free(fleet.trusts[i].ca_pem);
	}
	EVP_PKEY_free(fleet.key);
	fw_buf_done(&fleet.key_pem);
	fw_buf_done(&fleet.schema_message);
	fw_buf_done(&fleet.schema_short);
	fw_buf_done(&lines);
	fw_free(fleet.cells);
	fw_free(members);
}

int main(int argc, char **argv)
{
	static char token[512];
	struct fw_arena arena = {0};
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdin, NULL, _IONBF, 0); /* only the token is read through it */
	for (int i = 1; i < argc; i++)
		take_word(argv[i]);
	if (fleet.jitter_ms >= fleet.interval_ms)
		fleet_die("jitter", "it must be less than the interval");
	raise_limit();
	read_token(token, sizeof token);
	open_fleet(&arena);
	uv_run(&fleet.loop, UV_RUN_DEFAULT);
	close_fleet();
	fw_arena_done(&arena);
	return 0;
}
