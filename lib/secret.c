/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <fenwatch/file.h>

static int take_line(struct fw_secret *secret, size_t length, const char *path, struct fw_err *err)
{
	while (length > 0 && strchr("\r\n", secret->text[length - 1]))
		length--;
	secret->text[length] = '\0';
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)secret->text[i] < 0x20 || secret->text[i] == 0x7f)
			length = 0;
	if (length == 0)
		return fw_fail(err, -EINVAL,
			"'%.200s' does not hold a secret: one line is expected", path);
	return 0;
}

int fw_secret_read(struct fw_secret *secret, const char *path, struct fw_err *err)
{
	*secret->text = '\0';
	if (!path)
		return 0;
	int fd = fw_open(path, O_RDONLY | O_NONBLOCK, 0);
	ssize_t length = fd < 0 ? fd : fw_pread(fd, secret->text, sizeof secret->text, 0);
	if (fd >= 0)
		fw_close(fd);
	if (length == (ssize_t)sizeof secret->text)
		length = -EFBIG;
	int rc = length < 0 ? fw_fail_sys(err, (int)length, "'%.200s' cannot be read", path)
			    : take_line(secret, (size_t)length, path, err);
	if (rc < 0)
		fw_secret_wipe(secret);
	return rc;
}

void fw_secret_wipe(struct fw_secret *secret)
{
	explicit_bzero(secret->text, sizeof secret->text);
}
