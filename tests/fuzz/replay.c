/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of its corpus, as a unit test.
 *
 * The arguments are files or folders; a folder's files are taken in order of
 * name. A corpus that is missing or empty fails, so that none is forgotten.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return 0;
	static uint8_t data[4u << 20];
	size_t length = fread(data, 1, sizeof data, file);
	fclose(file);
	/* A copy of the exact size, so that reading past it is seen. */
	uint8_t *copy = malloc(length ? length : 1);
	if (!copy)
		abort();
	for (size_t i = 0; i < length; i++)
		copy[i] = data[i];
	LLVMFuzzerTestOneInput(copy, length);
	free(copy);
	return 1;
}

static unsigned run_folder(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);
	unsigned ran = 0;
	for (int i = 0; i < n; i++) {
		char inner[4096];
		snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
		struct stat st;
		if (stat(inner, &st) == 0 && S_ISREG(st.st_mode))
			ran += run_file(inner);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return ran;
}

int main(int argc, char **argv)
{
	unsigned ran = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (stat(argv[i], &st) == 0)
			ran += S_ISDIR(st.st_mode) ? run_folder(argv[i]) : run_file(argv[i]);
	}
	printf("%u inputs\n", ran);
	return ran > 0 ? 0 : 1;
}
