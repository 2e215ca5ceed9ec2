/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include <fenwatch/buf.h>

#include "cli.h"

#define ANSWER_LIMIT ((size_t)256 << 20)
#define CONNECT_S 10L
#define ANSWER_S 60L

const char *client_escape(struct cli *cli, const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);
	const char *copy = fw_arena_strdup(&cli->screen.arena, escaped ? escaped : "");
	curl_free(escaped);
	return copy;
}

/* A token goes over TLS, or stays on this machine. */
static bool is_private(const char *url)
{
	static const char *const local[] = {"localhost", "127.0.0.1", "[::1]"};
	static const char plain[] = "http://";
	if (strncasecmp(url, plain, sizeof plain - 1) != 0)
		return true;
	const char *host = url + sizeof plain - 1;
	for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
		size_t length = strlen(local[i]);
		if (strncasecmp(host, local[i], length) == 0 && strchr(":/", host[length]))
			return true;
	}
	return false;
}

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
	struct fw_buf *answer = arg;
	fw_buf_append(answer, data, size * count);
	return answer->overflowed ? 0 : size * count;
}

static void write_parameters(
	struct cli *cli, const struct parameter *parameters, struct fw_buf *out)
{
	for (; parameters && parameters->name; parameters++)
		if (parameters->value)
			fw_buf_printf(out, "%s%s=%s", out->length ? "&" : "",
				client_escape(cli, parameters->name),
				client_escape(cli, parameters->value));
}

static CURLcode transfer(CURL *curl, struct cli *cli, const char *method, const char *url,
	const char *form, struct fw_buf *answer, char why[CURL_ERROR_SIZE])
{
	struct curl_slist *headers = NULL;
	if (cli->token) {
		char *header = fw_format("Authorization: Bearer %s", cli->token);
		headers = curl_slist_append(headers, header);
		fw_free(header);
	}
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "fenwatch/" FW_VERSION);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	if (cli->settings.ca_file && *cli->settings.ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, cli->settings.ca_file);
	if (form)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);
	CURLcode code = curl_easy_perform(curl);
	curl_slist_free_all(headers);
	return code;
}

/* What a refusal means for the exit status. */
static enum status status_of(long http)
{
	if (http == 404 || http == 409 || http == 507)
		return STATUS_BAD_NEWS;
	return http == 400 || http == 415 || http == 422 ? STATUS_USAGE : STATUS_NO_ANSWER;
}

static void print_notes(struct cli *cli, const json_t *notes, const char *kind)
{
	size_t i;
	const json_t *note;
	json_array_foreach(notes, i, note) fprintf(stderr, "fenwatch: %s: %s\n", kind,
		screen_text(&cli->screen, json_string_value(note)));
}

/* Why there is no answer: what the collector says, in words of this side where it can do something. */
static enum status fail_refused(struct cli *cli, long http, const char *sentence)
{
	if (http == 401 && !cli->token)
		return cli_fail(STATUS_NO_ANSWER,
			"a token is needed, in FENWATCH_TOKEN or --token-file FILE; 'fenwatch token new' makes one");
	bool names_file = cli->about && status_of(http) == STATUS_USAGE;
	if (sentence)
		return cli_fail(status_of(http), "%s%s%s",
			names_file ? screen_text(&cli->screen, cli->about) : "",
			names_file ? ": " : "", screen_text(&cli->screen, sentence));
	return cli_fail(STATUS_NO_ANSWER,
		"%s answered %ld, but not as Fenwatch's collector does; is it the right address?",
		screen_text(&cli->screen, cli->settings.api), http);
}

static enum status fail_unreachable(struct cli *cli, CURL *curl, CURLcode code, const char *why)
{
	long verdict = 0; /* of the chain; 1 stands for a certificate that is of another name */
	curl_easy_getinfo(curl, CURLINFO_SSL_VERIFYRESULT, &verdict);
	return cli_fail(STATUS_NO_ANSWER,
		"cannot ask the collector at %s (--api, FENWATCH_API): %s%s",
		screen_text(&cli->screen, cli->settings.api),
		screen_text(&cli->screen, *why ? why : curl_easy_strerror(code)),
		verdict > 1 ? "; --ca-file FILE names the authority that vouches for it"
			: code == CURLE_GOT_NOTHING ? "; does it speak https:// alone?"
						    : "");
}

static json_t *read_answer(
	struct cli *cli, long http, const struct fw_buf *text, enum status *status)
{
	json_t *answer = json_loadb((const char *)text->data, text->length, 0, NULL);
	json_t *data = json_object_get(answer, "data");
	const char *next = json_string_value(json_object_get(answer, "next"));
	cli->next = next ? fw_arena_strdup(&cli->screen.arena, next) : NULL;
	if (http == 200 && data) {
		print_notes(cli, json_object_get(answer, "warnings"), "warning");
		print_notes(cli, json_object_get(answer, "infos"), "info");
		json_incref(data);
	} else {
		*status = fail_refused(
			cli, http, json_string_value(json_object_get(answer, "error")));
		data = NULL;
	}
	json_decref(answer);
	return data;
}

static json_t *ask_with(CURL *curl, struct cli *cli, const char *method, const char *path,
	const struct fw_buf *parameters, enum status *status)
{
	struct fw_buf answer = {.limit = ANSWER_LIMIT};
	char why[CURL_ERROR_SIZE] = "";
	bool is_get = strcmp(method, "GET") == 0;
	const char *text = parameters->length ? (const char *)parameters->data : "";
	size_t slash = strlen(cli->settings.api);
	while (slash > 0 && cli->settings.api[slash - 1] == '/')
		slash--;
	char *url = fw_format("%.*s%s%s%s", (int)slash, cli->settings.api, path,
		is_get && *text ? "?" : "", is_get ? text : "");
	CURLcode code = transfer(curl, cli, method, url, is_get ? NULL : text, &answer, why);
	json_t *data = NULL;
	long http = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
	if (code == CURLE_OK)
		data = read_answer(cli, http, &answer, status);
	else
		*status = fail_unreachable(cli, curl, code, why);
	fw_free(url);
	fw_buf_done(&answer);
	return data;
}

json_t *client_ask(struct cli *cli, const char *method, const char *path,
	const struct parameter *parameters, enum status *status)
{
	if (cli->token && !is_private(cli->settings.api)) {
		*status =
			cli_fail(STATUS_USAGE, "the token would go to %s unencrypted; use https://",
				screen_text(&cli->screen, cli->settings.api));
		return NULL;
	}
	CURL *curl = curl_easy_init();
	if (!curl) {
		*status = cli_fail(STATUS_NO_ANSWER, "cannot ask: out of memory");
		return NULL;
	}
	struct fw_buf text = {0};
	write_parameters(cli, parameters, &text);
	json_t *data = ask_with(curl, cli, method, path, &text, status);
	fw_buf_done(&text);
	curl_easy_cleanup(curl);
	return data;
}
