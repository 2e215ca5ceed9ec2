/* SPDX-License-Identifier: Apache-2.0 */
#include "nl80211.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/nl80211.h>
#include <sys/socket.h>

#define ANSWER_BYTES 16384
#define ANSWERS_LIMIT 64

/* ---- what comes back ---- */

typedef void (*attribute_fn)(unsigned type, const uint8_t *value, size_t length, void *arg);

/* Calls `each` for every attribute, with its type without the flags in it. */
static void each_attribute(const uint8_t *data, size_t length, attribute_fn each, void *arg)
{
	struct nlattr head;
	while (length >= sizeof head) {
		memcpy(&head, data, sizeof head);
		size_t step = NLA_ALIGN(head.nla_len);
		if (head.nla_len < sizeof head || head.nla_len > length)
			return;
		each((unsigned)head.nla_type & 0x3fffu, data + sizeof head,
			head.nla_len - sizeof head, arg);
		if (step >= length)
			return;
		data += step;
		length -= step;
	}
}

static int refusal(const uint8_t *payload, size_t length)
{
	struct nlmsgerr answer;
	if (length < sizeof answer.error)
		return -EBADMSG;
	memcpy(&answer.error, payload, sizeof answer.error);
	return answer.error < 0 ? answer.error : 1;
}

/* One message's attributes behind both heads. */
static int take_message(const struct nlmsghdr *head, const uint8_t *payload, size_t length,
	attribute_fn each, void *arg)
{
	if (head->nlmsg_type == NLMSG_DONE)
		return 1;
	if (head->nlmsg_type == NLMSG_ERROR)
		return refusal(payload, length);
	if (length < GENL_HDRLEN)
		return -EBADMSG;
	each_attribute(payload + GENL_HDRLEN, length - GENL_HDRLEN, each, arg);
	return head->nlmsg_flags & NLM_F_MULTI ? 0 : 1;
}

/* `begin` is told of every message before its attributes are. */
static int take_messages(
	const uint8_t *data, size_t length, void (*begin)(void *arg), attribute_fn each, void *arg)
{
	struct nlmsghdr head;
	int rc = 0;
	while (rc == 0 && length >= sizeof head) {
		memcpy(&head, data, sizeof head);
		if (head.nlmsg_len < sizeof head || head.nlmsg_len > length)
			return -EBADMSG;
		if (begin)
			begin(arg);
		rc = take_message(
			&head, data + NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN, each, arg);
		size_t step = NLMSG_ALIGN(head.nlmsg_len);
		if (step >= length)
			return rc;
		data += step;
		length -= step;
	}
	return rc;
}

static void on_family(unsigned type, const uint8_t *value, size_t length, void *arg)
{
	if (type == CTRL_ATTR_FAMILY_ID && length >= sizeof(uint16_t))
		memcpy(arg, value, sizeof(uint16_t));
}

int nl80211_take_family(const uint8_t *data, size_t length, uint16_t *family)
{
	return take_messages(data, length, NULL, on_family, family);
}

struct interfaces {
	struct wifi *wifi;
	struct wifi_device device;
};

/* The device of the message before is whole when it has a name and a number. */
static void keep_interface(void *arg)
{
	struct interfaces *found = arg;
	if (found->device.name[0] && found->device.index && found->wifi->n < WIFI_DEVICES)
		found->wifi->devices[found->wifi->n++] = found->device;
	found->device = (struct wifi_device){0};
}

static void on_interface(unsigned type, const uint8_t *value, size_t length, void *arg)
{
	struct wifi_device *device = &((struct interfaces *)arg)->device;
	if (type == NL80211_ATTR_IFINDEX && length >= sizeof device->index)
		memcpy(&device->index, value, sizeof device->index);
	if (type == NL80211_ATTR_IFNAME && length <= sizeof device->name) {
		memcpy(device->name, value, length);
		device->name[length < sizeof device->name ? length : sizeof device->name - 1] = 0;
	}
}

int nl80211_take_interfaces(const uint8_t *data, size_t length, struct wifi *out)
{
	struct interfaces found = {.wifi = out};
	int rc = take_messages(data, length, keep_interface, on_interface, &found);
	keep_interface(&found);
	return rc;
}

static void on_station_info(unsigned type, const uint8_t *value, size_t length, void *arg)
{
	struct wifi_device *device = arg;
	if (type != NL80211_STA_INFO_SIGNAL || length < 1)
		return;
	device->signal_dbm = value[0] < 128 ? value[0] : value[0] - 256;
	device->has_signal = true;
}

static void on_station(unsigned type, const uint8_t *value, size_t length, void *arg)
{
	if (type == NL80211_ATTR_STA_INFO)
		each_attribute(value, length, on_station_info, arg);
}

int nl80211_take_station(const uint8_t *data, size_t length, struct wifi_device *out)
{
	return take_messages(data, length, NULL, on_station, out);
}

/* ---- asking ---- */

struct question {
	struct nlmsghdr head;
	struct genlmsghdr generic;
	uint8_t attributes[32];
};

static void put_attribute(struct question *q, uint16_t type, const void *value, size_t length)
{
	struct nlattr head = {(uint16_t)(sizeof head + length), type};
	uint8_t *at = (uint8_t *)q + q->head.nlmsg_len;
	memcpy(at, &head, sizeof head);
	memcpy(at + sizeof head, value, length);
	q->head.nlmsg_len += (uint32_t)NLA_ALIGN(head.nla_len);
}

static struct question question(uint16_t family, uint8_t command, uint16_t flags)
{
	return (struct question){
		.head = {.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
			.nlmsg_type = family,
			.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)},
		.generic = {.cmd = command, .version = 1},
	};
}

/* Hands every datagram of the answer to `take`, which has `arg`. */
static int ask(int fd, const struct question *q,
	int (*take)(const uint8_t *data, size_t length, void *arg), void *arg)
{
	_Alignas(struct nlmsghdr) uint8_t data[ANSWER_BYTES];
	if (send(fd, q, q->head.nlmsg_len, 0) < 0)
		return -errno;
	int rc = 0;
	for (int i = 0; rc == 0 && i < ANSWERS_LIMIT; i++) {
		ssize_t got = recv(fd, data, sizeof data, 0);
		rc = got < 0 ? -errno : take(data, (size_t)got, arg);
	}
	return rc < 0 ? rc : 0;
}

static int take_family(const uint8_t *data, size_t length, void *arg)
{
	return nl80211_take_family(data, length, arg);
}

static int take_interfaces(const uint8_t *data, size_t length, void *arg)
{
	return nl80211_take_interfaces(data, length, arg);
}

static int take_station(const uint8_t *data, size_t length, void *arg)
{
	return nl80211_take_station(data, length, arg);
}

static int ask_all(int fd, struct wifi *out)
{
	uint16_t family = 0;
	struct question q = question(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	put_attribute(&q, CTRL_ATTR_FAMILY_NAME, NL80211_GENL_NAME, sizeof NL80211_GENL_NAME);
	int rc = ask(fd, &q, take_family, &family);
	if (rc < 0)
		return rc;
	q = question(family, NL80211_CMD_GET_INTERFACE, NLM_F_DUMP);
	rc = ask(fd, &q, take_interfaces, out);
	for (size_t i = 0; rc == 0 && i < out->n; i++) {
		q = question(family, NL80211_CMD_GET_STATION, NLM_F_DUMP);
		put_attribute(&q, NL80211_ATTR_IFINDEX, &out->devices[i].index,
			sizeof out->devices[i].index);
		rc = ask(fd, &q, take_station, &out->devices[i]);
	}
	return rc;
}

int nl80211_read(struct wifi *out)
{
	*out = (struct wifi){0};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0)
		return -errno;
	int rc = ask_all(fd, out);
	close(fd);
	return rc;
}
