/* SPDX-License-Identifier: Apache-2.0 */
/* Any message: the first byte says which. What is unpacked is packed again and
 * must unpack once more; the arena's limit holds. */
#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/wire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
	&fenwatch__wire__hello__descriptor,
	&fenwatch__wire__welcome__descriptor,
	&fenwatch__wire__schema__descriptor,
	&fenwatch__wire__host__descriptor,
	&fenwatch__wire__batch__descriptor,
	&fenwatch__wire__document__descriptor,
	&fenwatch__wire__event__descriptor,
	&fenwatch__wire__ack__descriptor,
	&fenwatch__wire__heartbeat__descriptor,
	&fenwatch__wire__goodbye__descriptor,
	&fenwatch__wire__enrol_request__descriptor,
	&fenwatch__wire__enrol_reply__descriptor,
};

static void pack_again(const ProtobufCMessageDescriptor *type, const ProtobufCMessage *message)
{
	struct fw_arena arena = {.limit = FW_WIRE_ARENA};
	struct fw_buf packed = {0};
	void *back;
	size_t length = protobuf_c_message_get_packed_size(message);
	packed.length = protobuf_c_message_pack(message, fw_buf_reserve(&packed, length));
	if (packed.length != length ||
		fw_wire_unpack(type, packed.data, length, &arena, &back, NULL) < 0)
		abort();
	fw_arena_done(&arena);
	fw_buf_done(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_arena arena = {.limit = FW_WIRE_ARENA};
	void *message;
	if (size == 0)
		return 0;
	const ProtobufCMessageDescriptor *type = types[data[0] % (sizeof types / sizeof *types)];
	if (fw_wire_unpack(type, data + 1, size - 1, &arena, &message, NULL) == 0)
		pack_again(type, message);
	if (arena.used > FW_WIRE_ARENA)
		abort();
	fw_arena_done(&arena);
	return 0;
}
