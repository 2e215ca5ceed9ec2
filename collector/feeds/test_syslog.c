/* SPDX-License-Identifier: Apache-2.0 */
#include "testkit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* A receiver for one connection, on a thread of its own as TLS is easiest read so. */
enum manner { READS_ALL, READS_NOTHING, NEVER_HANGS_UP, DISLIKES_US };

struct sink {
	pthread_t thread;
	int listener, lid[2]; /* who does not hang up waits for the lid's end */
	unsigned port;
	SSL_CTX *tls;
	EVP_PKEY *key;
	enum manner manner;
	char text[16384];
	size_t length;
};

static struct sink sink;

static void read_all(SSL *ssl)
{
	int n;
	while ((n = SSL_read(ssl, sink.text + sink.length,
			(int)(sizeof sink.text - 1 - sink.length))) > 0)
		sink.length += (size_t)n;
}

static void reset(int fd)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void *serve(void *arg)
{
	char end;
	(void)arg;
	int fd = accept(sink.listener, NULL, NULL);
	SSL *ssl = SSL_new(sink.tls);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1) {
		if (sink.manner == READS_NOTHING)
			reset(fd);
		else
			read_all(ssl);
		if (sink.manner == NEVER_HANGS_UP)
			assert_int_equal(read(sink.lid[0], &end, 1), 0);
	}
	SSL_free(ssl);
	close(fd);
	return NULL;
}

/* Vouches for itself, under one name. */
static X509 *certify(const char *name)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC, (const unsigned char *)"syslog", -1, -1, 0);
	X509_set_issuer_name(cert, subject);
	X509_set_pubkey(cert, sink.key);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, name);
	assert_int_equal(X509_add_ext(cert, names, -1), 1);
	X509_EXTENSION_free(names);
	assert_true(X509_sign(cert, sink.key, EVP_sha256()) > 0);
	return cert;
}

static void listen_on_some_port(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	sink.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(sink.listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(sink.listener, 4), 0);
	getsockname(sink.listener, (struct sockaddr *)&address, &length);
	sink.port = ntohs(address.sin_port);
}

static void open_sink(struct kit *kit, const char *name, enum manner manner)
{
	sink.manner = manner;
	sink.key = EVP_EC_gen("P-256");
	sink.tls = SSL_CTX_new(TLS_server_method());
	X509 *cert = certify(name);
	FILE *file = fopen(fw_arena_format(&kit->arena, "%s/ca.pem", kit->dir), "w");
	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, cert), 1);
	assert_int_equal(fclose(file), 0);
	SSL_CTX_use_certificate(sink.tls, cert);
	SSL_CTX_use_PrivateKey(sink.tls, sink.key);
	if (manner == DISLIKES_US)
		SSL_CTX_set_verify(
			sink.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	X509_free(cert);
	listen_on_some_port();
	assert_int_equal(pthread_create(&sink.thread, NULL, serve, NULL), 0);
}

static void configure(struct kit *kit, const char *host)
{
	kit_configure(kit, "syslog",
		fw_arena_format(
			&kit->arena, "server: %s:%u\nca_file: DIR/ca.pem\n", host, sink.port));
}

static enum verdict deliver_to(struct kit *kit, const char *name, enum manner manner)
{
	open_sink(kit, name, manner);
	configure(kit, "127.0.0.1");
	return kit_deliver(kit);
}

static int set_up(void **arg)
{
	memset(&sink, 0, sizeof sink);
	sink.listener = -1;
	assert_int_equal(pipe(sink.lid), 0);
	return kit_set_up(arg);
}

static int tear_down(void **arg)
{
	close(sink.lid[1]);
	if (sink.thread)
		pthread_join(sink.thread, NULL);
	close(sink.lid[0]);
	if (sink.listener >= 0)
		close(sink.listener);
	SSL_CTX_free(sink.tls);
	EVP_PKEY_free(sink.key);
	return kit_tear_down(arg);
}

static const char *taken(void)
{
	pthread_join(sink.thread, NULL);
	sink.thread = 0;
	return sink.text;
}

static void test_an_alarm(void **arg)
{
	struct kit *kit = *arg;
	assert_int_equal(deliver_to(kit, "IP:127.0.0.1", READS_ALL), DELIVERED);
	assert_string_equal(taken(),
		"316 <129>1 2026-11-22T10:00:00.000Z web01 fenwatch "
		"fw1-0123456789abcdef0123456789abcdef FilesystemAlmostFull [alarm "
		"resource=\"web01 alertname=FilesystemAlmostFull mountpoint=/srv/\\\"quoted\\\" \" "
		"probableCause=\"other\" perceivedSeverity=\"critical\" "
		"resourceURI=\"http://collector/alerts\"] "
		"\xef\xbb\xbfweb01: /srv has 4.0 % left (firing)");
}

static void test_what_the_register_says(void **arg)
{
	struct kit *kit = *arg;
	kit_judge(kit);
	assert_int_equal(deliver_to(kit, "IP:127.0.0.1", READS_ALL), DELIVERED);
	assert_non_null(strstr(taken(),
		"/alerts\"][fenwatch@32473 priority=\"P2\" tier=\"blue-light\" "
		"site=\"Boston Fire\" site_address=\"Robin Hood's Walk\" "
		"purpose=\"forms, payments\" contract=\"no. 4711\" "
		"contract_ends=\"2027-03-31\" telephone=\"01522 580397\" serial=\"CZ3\\\"7\"] "
		"\xef\xbb\xbf"));
}

static void test_its_end(void **arg)
{
	struct kit *kit = *arg;
	kit_resolve(kit, "");
	assert_int_equal(deliver_to(kit, "IP:127.0.0.1", READS_ALL), DELIVERED);
	assert_non_null(strstr(taken(), "<133>1 2026-11-22T10:00:59.000Z web01 fenwatch fw1-"));
	assert_non_null(strstr(sink.text, " perceivedSeverity=\"cleared\" "));
	assert_non_null(strstr(sink.text, "% left (resolved)"));
}

/* One message stays one, its data stay data, and its count of octets is right. */
static void test_hostile_texts(void **arg)
{
	struct kit *kit = *arg;
	char endless[5000];
	memset(endless, 'x', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	const struct notice_pair labels[] = {
		{"alertname", "A rule] [x y=\"1\"]\n<0>1 - - - - - -"},
		{"device", "\"] [evil@1 a=\"\\"},
		{"endless", endless},
		{"instance", "web01 -\r\n\xff\x1b[31m"},
		{"severity", "no such word"},
	};
	const struct notice_pair said[] = {{"summary", "a\nb\xc3\x28\xe2\x80\xa8 c\x7f"}};
	kit_set_labels(kit, labels, 5);
	kit->notice.annotations = said;
	kit->notice.n_annotations = 1;
	assert_int_equal(deliver_to(kit, "IP:127.0.0.1", READS_ALL), DELIVERED);
	const char *blank = strchr(taken(), ' ');
	assert_non_null(blank);
	assert_int_equal(strtoul(sink.text, NULL, 10), strlen(blank + 1));
	assert_null(strpbrk(sink.text, "\r\n\x1b\x7f"));
	assert_non_null(strstr(sink.text, " web01_-____[31m fenwatch fw1-"));
	assert_non_null(strstr(sink.text, " A_rule]_[x_y=\"1\"]_<0>1_-_-_-_-_- [alarm "));
	assert_non_null(strstr(sink.text, "device=\\\"\\] [evil@1 a=\\\"\\\\ endless=xxx"));
	assert_non_null(
		strstr(sink.text, "x\" probableCause=\"other\" perceivedSeverity=\"warning\""));
	assert_non_null(strstr(sink.text,
		"\xef\xbb\xbf"
		"a b?(  c  (firing)"));
	assert_true(sink.length < 3000);
}

static void test_who_did_not_read_is_told_again(void **arg)
{
	struct kit *kit = *arg;
	assert_int_equal(deliver_to(kit, "IP:127.0.0.1", READS_NOTHING), TRY_LATER);
}

static void test_who_does_not_hang_up_may_not_have_read(void **arg)
{
	struct kit *kit = *arg;
	assert_int_equal(deliver_to(kit, "IP:127.0.0.1", NEVER_HANGS_UP), TRY_LATER);
	assert_non_null(strstr(kit->why, "it did not hang up"));
}

/* With TLS 1.3 the refusal comes after our message, and before any goodbye. */
static void test_who_refuses_us_has_not_read(void **arg)
{
	struct kit *kit = *arg;
	assert_int_equal(deliver_to(kit, "IP:127.0.0.1", DISLIKES_US), TRY_LATER);
}

static void test_a_certificate_of_another_name(void **arg)
{
	struct kit *kit = *arg;
	assert_int_equal(deliver_to(kit, "DNS:siem.example", READS_ALL), TRY_LATER);
	assert_non_null(strstr(kit->why, "127.0.0.1: "));
	assert_string_equal(taken(), "");
}

static void test_a_certificate_of_a_stranger(void **arg)
{
	struct kit *kit = *arg;
	open_sink(kit, "IP:127.0.0.1", READS_ALL);
	kit_configure(
		kit, "syslog", fw_arena_format(&kit->arena, "server: 127.0.0.1:%u\n", sink.port));
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	assert_non_null(strstr(kit->why, "certificate"));
	assert_string_equal(taken(), "");
}

static void test_interrupted(void **arg)
{
	struct kit *kit = *arg;
	open_sink(kit, "IP:127.0.0.1", NEVER_HANGS_UP);
	configure(kit, "127.0.0.1");
	kit_start(kit);
	for (int i = 0; i < 3; i++)
		uv_run(&kit->loop, UV_RUN_ONCE);
	kit->feed->cancel(&kit->delivery);
	assert_int_equal(kit->finished, 1);
	assert_int_equal(kit->verdict, TRY_LATER);
}

static void test_nobody_is_there(void **arg)
{
	struct kit *kit = *arg;
	listen_on_some_port();
	close(sink.listener);
	sink.listener = -1;
	kit_configure(
		kit, "syslog", fw_arena_format(&kit->arena, "server: 127.0.0.1:%u\n", sink.port));
	assert_int_equal(kit_deliver(kit), TRY_LATER);
}

static void test_what_is_refused_at_load(void **arg)
{
	struct kit *kit = *arg;
	assert_string_equal(kit_refusal(kit, "syslog", "server: siem.example\n"),
		"server: write it like siem.example:6514, not 'siem.example'");
	assert_non_null(
		strstr(kit_refusal(kit, "syslog", "server: a:1\nfacility: 24\n"), "facility"));
}

int main(void)
{
#define OVER_TLS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		OVER_TLS(test_an_alarm),
		OVER_TLS(test_what_the_register_says),
		OVER_TLS(test_its_end),
		OVER_TLS(test_hostile_texts),
		OVER_TLS(test_who_did_not_read_is_told_again),
		OVER_TLS(test_who_does_not_hang_up_may_not_have_read),
		OVER_TLS(test_who_refuses_us_has_not_read),
		OVER_TLS(test_a_certificate_of_another_name),
		OVER_TLS(test_a_certificate_of_a_stranger),
		OVER_TLS(test_interrupted),
		OVER_TLS(test_nobody_is_there),
		OVER_TLS(test_what_is_refused_at_load),
	};
	return cmocka_run_group_tests_name("feeds: syslog", tests, NULL, NULL);
}
