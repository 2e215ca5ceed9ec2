/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/conf.h>

#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

enum { LINE_COLUMNS = 78 };

/* Words as comment lines, broken before the margin. */
static void put_comment(struct fw_buf *out, int indent, const char *text)
{
	struct fw_cursor c = {text, text + strlen(text)};
	const char *word;
	size_t length, column = 0;
	while (fw_cut_word(&c, &word, &length)) {
		if (column == 0 || column + 1 + length > LINE_COLUMNS) {
			fw_buf_printf(out, "%s%*s#", column == 0 ? "" : "\n", indent, "");
			column = (size_t)indent + 1;
		}
		fw_buf_printf(out, " %.*s", (int)length, word);
		column += 1 + length;
	}
	fw_buf_putc(out, '\n');
}

static void put_bound(struct fw_buf *out, const struct fw_option *option, int64_t value)
{
	char text[48];
	if (option->type == FW_OPT_DURATION)
		fw_buf_puts(out, fw_format_duration(value, text, sizeof text));
	else if (option->type == FW_OPT_SIZE)
		fw_buf_puts(out, fw_format_size((uint64_t)value, text, sizeof text));
	else
		fw_buf_printf(out, "%lld", (long long)value);
}

static void put_choices(struct fw_buf *out, const char *const *choices)
{
	fw_buf_puts(out, "One of ");
	for (int i = 0; choices[i]; i++)
		fw_buf_printf(out, "%s%s", i ? ", " : "", choices[i]);
	fw_buf_putc(out, '.');
}

/* What may stand there, where the table says so. */
static void put_allowed(struct fw_buf *out, int indent, const struct fw_option *option)
{
	struct fw_buf line = {0};
	if (option->required)
		fw_buf_puts(&line, "Required. ");
	if (option->type == FW_OPT_CHOICE)
		put_choices(&line, option->choices);
	if (option->min != 0 || option->max != 0) {
		fw_buf_puts(&line, "From ");
		put_bound(&line, option, option->min);
		fw_buf_puts(&line, " to ");
		put_bound(&line, option, option->max);
		fw_buf_putc(&line, '.');
	}
	if (line.length > 0)
		put_comment(out, indent, (const char *)line.data);
	fw_buf_done(&line);
}

/* Keys are commented out, sections are not: so one line changed is enough. */
static void put_table(struct fw_buf *out, int indent, const struct fw_option *table)
{
	for (const struct fw_option *option = table; option->name; option++) {
		if (option != table)
			fw_buf_putc(out, '\n');
		if (option->help)
			put_comment(out, indent, option->help);
		put_allowed(out, indent, option);
		if (option->type == FW_OPT_SECTION) {
			fw_buf_printf(out, "%*s%s:\n", indent, "", option->name);
			put_table(out, indent + 2, option->section);
		} else {
			const char *value = option->fallback ? option->fallback : "";
			fw_buf_printf(out, "%*s#%s:%s%s\n", indent, "", option->name,
				*value ? " " : "", value);
		}
	}
}

void fw_conf_sample(const struct fw_option *table, struct fw_buf *out)
{
	put_table(out, 0, table);
}
