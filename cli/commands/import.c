/* SPDX-License-Identifier: Apache-2.0 */
/* Back-filling: files of OpenMetrics text, sent piece by piece in whole lines. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>

#include "render.h"

#define PIECE_BYTES (1u << 20)
#define LINE_LIMIT (64u << 10)

struct importing {
	struct cli *cli;
	const char *path;
	int fd;
	uint64_t line, done, whole; /* first line of the piece; bytes */
	struct fw_buf held;
	json_int_t samples;
	enum status status;
};

static size_t whole_lines(const struct fw_buf *held, bool last)
{
	size_t n = held->length;
	while (!last && n > 0 && held->data[n - 1] != '\n')
		n--;
	return n;
}

static uint64_t count_lines(const uint8_t *text, size_t length)
{
	uint64_t n = 0;
	for (size_t i = 0; i < length; i++)
		n += text[i] == '\n';
	return n;
}

static void tell_progress(const struct importing *im)
{
	if (isatty(STDERR_FILENO) && im->whole > 0)
		fprintf(stderr, "\r%3.0f %%%s", 100 * (double)im->done / (double)im->whole,
			im->done >= im->whole ? "\n" : "");
}

static bool send_piece(struct importing *im, size_t length)
{
	char *text = fw_strndup((const char *)im->held.data, length), line[24];
	snprintf(line, sizeof line, "%" PRIu64, im->line);
	const struct parameter parameters[] = {{"text", text}, {"line", line}, {0}};
	json_t *data =
		client_ask(im->cli, "POST", "/api/fenwatch/v1/import", parameters, &im->status);
	fw_free(text);
	if (!data)
		return false;
	im->samples += json_integer_value(json_object_get(data, "samples"));
	json_decref(data);
	im->line += count_lines(im->held.data, length);
	im->done += length;
	fw_buf_consume(&im->held, length);
	tell_progress(im);
	return true;
}

/* 1 when there is more, 0 at the end. */
static int read_some(struct importing *im)
{
	uint8_t *room = fw_buf_reserve(&im->held, PIECE_BYTES);
	ssize_t n = read(im->fd, room, PIECE_BYTES);
	if (n < 0)
		return -errno;
	im->held.length += (size_t)n;
	im->held.data[im->held.length] = '\0';
	return n > 0;
}

static enum status import(struct importing *im)
{
	for (int more = 1; more > 0;) {
		more = read_some(im);
		if (more < 0)
			return cli_fail(STATUS_USAGE, "cannot read %s: %s",
				screen_text(&im->cli->screen, im->path), strerror(-more));
		if (memchr(im->held.data, '\0', im->held.length))
			return cli_fail(STATUS_USAGE, "%s is no text",
				screen_text(&im->cli->screen, im->path));
		size_t n = whole_lines(&im->held, more == 0);
		if (n == 0 && im->held.length > LINE_LIMIT)
			return cli_fail(STATUS_USAGE, "%s: line %" PRIu64 " is longer than 64 KiB",
				screen_text(&im->cli->screen, im->path), im->line);
		if (n > 0 && !send_piece(im, n))
			return im->status;
	}
	return STATUS_WELL;
}

static enum status import_file(struct cli *cli, const char *path, json_int_t *samples)
{
	bool input = strcmp(path, "-") == 0;
	struct importing im = {.cli = cli, .path = path, .line = 1};
	struct stat stat;
	im.fd = input ? STDIN_FILENO : fw_open(path, O_RDONLY, 0);
	if (im.fd < 0)
		return cli_fail(STATUS_USAGE, "cannot open %s: %s", screen_text(&cli->screen, path),
			strerror(-im.fd));
	cli->about = input ? "standard input" : path;
	if (fstat(im.fd, &stat) == 0 && S_ISREG(stat.st_mode))
		im.whole = (uint64_t)stat.st_size;
	enum status status = import(&im);
	*samples += im.samples;
	fw_buf_done(&im.held);
	if (!input)
		fw_close(im.fd);
	return status;
}

enum status render_imported(struct screen *s, const json_t *data)
{
	screen_printf(s, "%s samples\n", screen_number(s, data, "samples"));
	return STATUS_WELL;
}

enum status command_import(struct cli *cli, char **args, int n_args)
{
	json_int_t samples = 0;
	enum status status = STATUS_WELL;
	for (int i = 0; i < n_args && status == STATUS_WELL; i++)
		status = import_file(cli, args[i], &samples);
	if (status != STATUS_WELL)
		return status;
	return cli_show(cli, json_pack("{s:I}", "samples", samples), render_imported);
}
