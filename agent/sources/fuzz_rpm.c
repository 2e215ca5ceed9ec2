/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of rpm, yum, dnf and zypper, on a machine where one file has the fuzzer's
 * contents: the first byte chooses the file. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/mem.h>

#include "documents.h"
#include "source.h"
#include "sweep.h"
#include "test_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct source source_rpm;

#define DNF "var/cache/dnf/base-0123456789abcdef/repodata/"
#define YUM "var/cache/yum/x86_64/7/old/"
#define ZYPP "var/cache/zypp/raw/SLE/repodata/"
#define PACKAGE                                                                              \
	"<metadata><package><name>bash</name><arch>x86_64</arch><version epoch='0' ver='6' " \
	"rel='1'/></package></metadata>"

static const struct {
	const char *path, *text;
} files[] = {
	{"recorded/rpm-qa",
		"bash\t(none)\t5\t1\tx86_64\tbash-5-1.src.rpm\t9\tV\n"
		"kernel-core\t1\t5\t1\tx86_64\tkernel-5-1.src.rpm\t9\tV\n"},
	{"etc/yum.repos.d/base.repo", "[base]\nexclude=a*\n[old]\npriority=9\n"},
	{"etc/dnf/dnf.conf", "[main]\nexclude=b\n"},
	{DNF "repomd.xml",
		"<repomd><data type='primary'><location href='p.xml'/></data><data "
		"type='updateinfo'><location href='u.xml'/></data><data type='modules'>"
		"<location href='m.yaml'/></data></repomd>"},
	{DNF "p.xml", PACKAGE},
	{DNF "u.xml",
		"<updates><update type='security'><id>A</id><issued date='2026-01-01'/>"
		"<pkglist><collection><package name='bash' version='6' release='1' "
		"arch='x86_64'/></collection></pkglist></update></updates>"},
	{DNF "m.yaml",
		"---\ndocument: modulemd\ndata:\n  name: b\n  stream: 1\n  artifacts:\n"
		"    rpms:\n    - bash-0:6-1.x86_64\n...\n"},
	{"etc/dnf/modules.d/b.module", "[b]\nstream=1\nstate=enabled\n"},
	{"etc/dnf/plugins/versionlock.list", "bash-0:5-1.*\n"},
	{"etc/dnf/plugins/versionlock.conf", "[main]\nenabled=1\n"},
	{YUM "repomd.xml",
		"<repomd><data type='primary_db'><location href='d.sqlite'/></data>"
		"</repomd>"},
	{YUM "d.sqlite", ""},
	{"proc/sys/kernel/osrelease", "5-1.x86_64\n"},
	/* zypper's from here on; its definitions are there for these alone. */
	{"etc/zypp/repos.d/SLE.repo", "[SLE]\n"},
	{"etc/zypp/locks", "type: package\nsolvable_name: bash\n\n"},
	{ZYPP "repomd.xml",
		"<repomd><data type='primary'><location href='p.xml'/></data></repomd>"},
	{ZYPP "p.xml", PACKAGE},
	{"etc/zypp/vendors.d/v", "[main]\nvendors = V, W\n"},
};
#define COUNT (sizeof files / sizeof files[0])
#define FIRST_OF_ZYPPER 13

static char root[] = "/tmp/fenwatch-fuzz-XXXXXX";
static struct machine machine;

static void write_file(const char *path, const void *data, size_t size)
{
	if (test_put(root, path, data, size) < 0)
		abort();
}

static void remove_machine(void)
{
	machine_close(&machine);
	test_remove_tree(root);
}

static void make_machine(void)
{
	struct fw_err err;
	if (!mkdtemp(root) || machine_open(&machine, root, &err) < 0)
		abort();
	for (size_t i = 0; i < COUNT; i++)
		write_file(files[i].path, files[i].text, strlen(files[i].text));
	write_file("var/lib/rpm/Packages", "x", 1);
	unlinkat(machine.root, files[FIRST_OF_ZYPPER].path, 0);
	atexit(remove_machine);
}

static void read_it(struct machine *m)
{
	struct fw_buf inventory = {0};
	struct fw_err err;
	struct sweep *s = sweep_new();
	m->now_ms = 1795390000000;
	m->documents = documents_new(NULL, &source_rpm);
	sweep_begin(s, m->now_ms);
	source_rpm.read(NULL, m, s, &err);
	sweep_end(s);
	documents_finish(m->documents, m->now_ms, &inventory);
	documents_free(m->documents);
	m->documents = NULL;
	fw_buf_done(&inventory);
	sweep_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (!machine.root_path)
		make_machine();
	size_t file = data[0] % COUNT;
	if (file >= FIRST_OF_ZYPPER)
		write_file(files[FIRST_OF_ZYPPER].path, files[FIRST_OF_ZYPPER].text,
			strlen(files[FIRST_OF_ZYPPER].text));
	write_file(files[file].path, data + 1, size - 1);
	read_it(&machine);
	write_file(files[file].path, files[file].text, strlen(files[file].text));
	unlinkat(machine.root, files[FIRST_OF_ZYPPER].path, 0);
	return 0;
}
