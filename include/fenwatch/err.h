/* Failures: a negative errno for the program, a sentence for a person.
 *
 * A function returns 0 or a count when it went well and a negative errno when
 * not; libuv's codes are the same numbers. Where a person will read the
 * failure, `struct fw_err` comes last. It is never read unless the call
 * failed, and NULL is allowed: then only the number travels.
 */
#pragma once

struct fw_err {
	char text[1024]; /* a sentence may quote the labels of two series */
};

/* Writes the sentence and gives `rc` back: `return fw_fail(err, -EINVAL, "...")`. */
int fw_fail(struct fw_err *err, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* On the way up, puts where it happened in front: "config 'a.yml': line 3: ...". */
int fw_fail_in(struct fw_err *err, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As fw_fail, with ": " and what the system says of `rc` behind. */
int fw_fail_sys(struct fw_err *err, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What the system says of a negative errno or libuv code. */
const char *fw_strerror(int rc);
