/* SPDX-License-Identifier: Apache-2.0 */
/* Packets between the agent and the helper. Numbers are little-endian.
 *
 *   request   "FWF1"  code (1)  0 0 0  major (4)  minor (4)
 *   answer    "FWF1"  code (1)  0 0 0  rc (4, negative errno or 0)  body
 *
 * A body is made of varints and of texts that end with NUL; that of SMART is what
 * smartctl printed.
 */
#include "facts.h"

#include <errno.h>
#include <string.h>

#include "../answer.h"

static const uint8_t magic[4] = {'F', 'W', 'F', '1'};

static void put_u32(uint8_t *out, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *data)
{
	return (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
		(uint32_t)data[3] << 24;
}

static bool is_head(const uint8_t *data)
{
	static const uint8_t zeroes[3];
	return memcmp(data, magic, sizeof magic) == 0 &&
		memcmp(data + 5, zeroes, sizeof zeroes) == 0;
}

static void put_head(uint8_t *out, enum facts_code code)
{
	memset(out, 0, 8);
	memcpy(out, magic, sizeof magic);
	out[4] = (uint8_t)code;
}

void facts_put_request(const struct facts_request *request, uint8_t out[FACTS_REQUEST_BYTES])
{
	put_head(out, request->code);
	put_u32(out + 8, request->major);
	put_u32(out + 12, request->minor);
}

int facts_get_request(const uint8_t *data, size_t length, struct facts_request *out)
{
	if (length != FACTS_REQUEST_BYTES || !is_head(data) || data[4] < FACTS_DISKS ||
		data[4] >= FACTS_CODES)
		return -EBADMSG;
	*out = (struct facts_request){
		.code = (enum facts_code)data[4],
		.major = get_u32(data + 8),
		.minor = get_u32(data + 12),
	};
	return 0;
}

void facts_put_answer(
	enum facts_code code, int rc, const struct fw_buf *body, struct fw_buf *packet)
{
	uint8_t head[FACTS_HEAD_BYTES];
	put_head(head, code);
	put_u32(head + 8, (uint32_t)rc);
	fw_buf_append(packet, head, sizeof head);
	if (rc == 0)
		fw_buf_append(packet, body->data, body->length);
}

int facts_get_answer(
	enum facts_code code, const uint8_t *packet, size_t length, struct fw_buf *body)
{
	if (length < FACTS_HEAD_BYTES || length > FACTS_HEAD_BYTES + FACTS_ANSWER_LIMIT ||
		!is_head(packet) || packet[4] != code)
		return -EBADMSG;
	uint32_t rc = get_u32(packet + 8);
	if (rc != 0)
		return rc > (uint32_t)-4096 && length == FACTS_HEAD_BYTES ? (int)rc : -EBADMSG;
	fw_buf_append(body, packet + FACTS_HEAD_BYTES, length - FACTS_HEAD_BYTES);
	return 0;
}

/* ---- bodies ---- */

static struct reader reader_of(const struct fw_buf *body)
{
	static const uint8_t nothing[1];
	const uint8_t *data = body->length ? body->data : nothing;
	return (struct reader){data, data + body->length};
}

static bool cut_u32(struct reader *r, uint32_t *out, uint64_t most)
{
	uint64_t value;
	if (!cut_number(r, &value) || value > most)
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool cut_copy(struct reader *r, char *out, size_t size)
{
	const char *text;
	if (!cut_text(r, &text) || strlen(text) >= size)
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static void put_text(struct fw_buf *body, const char *text)
{
	fw_buf_append(body, text, strlen(text) + 1);
}

void facts_put_disk(const struct facts_disk *disk, struct fw_buf *body)
{
	fw_buf_put_varint(body, disk->major);
	fw_buf_put_varint(body, disk->minor);
	fw_buf_put_varint(body, disk->bus);
	put_text(body, disk->name);
}

static bool cut_disk(struct reader *r, struct facts_disk *out)
{
	uint32_t bus;
	if (!cut_u32(r, &out->major, UINT32_MAX) || !cut_u32(r, &out->minor, UINT32_MAX) ||
		!cut_u32(r, &bus, FACTS_USB) || !cut_copy(r, out->name, sizeof out->name))
		return false;
	out->bus = (enum facts_bus)bus;
	return out->name[0] && !strchr(out->name, '/');
}

int facts_get_disks(const struct fw_buf *body, struct facts_disks *out)
{
	struct reader r = reader_of(body);
	out->n = 0;
	while (r.at < r.end)
		if (out->n == FACTS_DISKS_LIMIT || !cut_disk(&r, &out->disk[out->n++]))
			return -EBADMSG;
	return 0;
}

int facts_get_power(const struct fw_buf *body, enum facts_power *out)
{
	struct reader r = reader_of(body);
	uint32_t power;
	if (!cut_u32(&r, &power, POWER_STANDBY) || r.at != r.end)
		return -EBADMSG;
	*out = (enum facts_power)power;
	return 0;
}

static void put_library(const struct facts_libraries *all, size_t index, struct fw_buf *body)
{
	const struct facts_library *library = &all->library[index];
	uint32_t n = 0;
	for (size_t i = 0; i < all->n_services; i++)
		n += facts_links(all, index, i);
	put_text(body, library->path);
	fw_buf_put_varint(body, library->processes);
	fw_buf_put_varint(body, library->in_init);
	fw_buf_put_varint(body, n);
	for (size_t i = 0; i < all->n_services; i++)
		if (facts_links(all, index, i))
			fw_buf_put_varint(body, i);
}

/* The first byte is `partial`. */
void facts_put_libraries(const struct facts_libraries *libraries, struct fw_buf *body)
{
	size_t first = body->length;
	fw_buf_put_varint(body, libraries->partial);
	fw_buf_put_varint(body, libraries->n_services);
	for (size_t i = 0; i < libraries->n_services; i++)
		put_text(body, libraries->service[i]);
	for (size_t i = 0; i < libraries->n; i++) {
		struct fw_buf one = {0};
		put_library(libraries, i, &one);
		bool fits = body->length - first + one.length <= FACTS_ANSWER_LIMIT;
		if (fits)
			fw_buf_append(body, one.data, one.length);
		else
			body->data[first] = 1;
		fw_buf_done(&one);
	}
}

static bool cut_library(struct reader *r, struct facts_libraries *out)
{
	struct facts_library *library = &out->library[out->n];
	uint32_t in_init, n_links, service;
	if (out->n == FACTS_LIBRARIES_LIMIT || !cut_text(r, &library->path) ||
		library->path[0] != '/' || !cut_u32(r, &library->processes, UINT32_MAX) ||
		!cut_u32(r, &in_init, 1) || !cut_u32(r, &n_links, FACTS_SERVICES_LIMIT))
		return false;
	library->in_init = in_init;
	memset(out->link[out->n], 0, sizeof out->link[out->n]);
	for (uint32_t i = 0; i < n_links; i++) {
		if (!cut_u32(r, &service, FACTS_SERVICES_LIMIT - 1) || service >= out->n_services)
			return false;
		out->link[out->n][service / 8] |= (uint8_t)(1u << service % 8);
	}
	out->n++;
	return true;
}

int facts_get_libraries(const struct fw_buf *body, struct facts_libraries *out)
{
	struct reader r = reader_of(body);
	uint32_t partial, n_services;
	out->n = out->n_services = 0;
	if (!cut_u32(&r, &partial, 1) || !cut_u32(&r, &n_services, FACTS_SERVICES_LIMIT))
		return -EBADMSG;
	out->partial = partial;
	while (out->n_services < n_services)
		if (!cut_text(&r, &out->service[out->n_services++]))
			return -EBADMSG;
	while (r.at < r.end)
		if (!cut_library(&r, out))
			return -EBADMSG;
	return 0;
}

int facts_get_ruleset(const struct fw_buf *body, struct facts_ruleset *out)
{
	struct reader r = reader_of(body);
	bool whole = cut_u32(&r, &out->input_chains, UINT32_MAX) &&
		cut_u32(&r, &out->input_policies, UINT32_MAX) &&
		cut_u32(&r, &out->refusals, UINT32_MAX) && r.at == r.end;
	return whole ? 0 : -EBADMSG;
}

int facts_get_serials(const struct fw_buf *body, struct facts_serials *out)
{
	struct reader r = reader_of(body);
	for (size_t i = 0; i < SERIALS; i++)
		if (!cut_copy(&r, out->serial[i], sizeof out->serial[i]))
			return -EBADMSG;
	return r.at == r.end ? 0 : -EBADMSG;
}
