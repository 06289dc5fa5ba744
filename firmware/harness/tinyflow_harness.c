/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame format and the commands are described in tinyflow's docs/harness-protocol.md:
 *   'T' 'F', command, sequence, length (u16), payload, CRC-32 of all but the sync bytes.
 * A reply is streamed: its length is known before its first byte, so no reply needs a buffer.
 */
#include "tinyflow_harness.h"

#include "tinyflow_core.h"
#include "tinyflow_crc32.h"
#include "tinyflow_mcu.h"

enum { PROTOCOL_VERSION = 2 };
enum { SYNC_0 = 0x54, SYNC_1 = 0x46 };
enum {
    COMMAND_INFO = 1,
    COMMAND_WRITE_INPUT = 2,
    COMMAND_INVOKE = 3,
    COMMAND_READ_OUTPUT = 4,
    COMMAND_STATS = 5,
    COMMAND_RESET = 6
};
enum { REPLY_FLAG = 0x80, REPLY_ERROR = 0xFF };
enum { ERROR_NONE = 0, ERROR_CRC = 1, ERROR_LENGTH = 2, ERROR_COMMAND = 3, ERROR_RANGE = 4 };

typedef struct {
    uint8_t command;
    uint8_t sequence;
    uint16_t length;
    uint8_t payload[TINYFLOW_HARNESS_MAX_PAYLOAD];
} request_t;

static const tinyflow_model_t *model;
static request_t request;
static uint32_t frame_crc; /* running, of the frame being read or written */
static int32_t last_status;
static uint32_t last_cycles;
static uint32_t inferences;

/* ---- reading ---- */

static uint8_t get_u8(void) {
    const uint8_t byte = tinyflow_mcu_uart_read();
    frame_crc = tinyflow_crc32_byte(frame_crc, byte);
    return byte;
}

static uint32_t load_u16(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | ((uint32_t)bytes[1] << 8);
}

static uint32_t load_u32(const uint8_t *bytes) {
    return load_u16(bytes) | (load_u16(bytes + 2) << 16);
}

/* Skips everything up to and including the sync bytes; "TTF" holds them too. */
static void wait_for_sync(void) {
    uint8_t byte = tinyflow_mcu_uart_read();
    for (;;) {
        const uint8_t next = tinyflow_mcu_uart_read();
        if (byte == SYNC_0 && next == SYNC_1) {
            return;
        }
        byte = next;
    }
}

/* Reads one frame; returns an error of the frame itself, or ERROR_NONE. */
static uint8_t read_request(void) {
    wait_for_sync();
    frame_crc = TINYFLOW_CRC32_START;
    request.command = get_u8();
    request.sequence = get_u8();
    const uint8_t low = get_u8();
    const uint8_t high = get_u8();
    request.length = (uint16_t)(low | (high << 8));
    if (request.length > TINYFLOW_HARNESS_MAX_PAYLOAD) {
        return ERROR_LENGTH;
    }
    for (uint32_t i = 0; i < request.length; ++i) {
        request.payload[i] = get_u8();
    }
    const uint32_t computed = tinyflow_crc32_end(frame_crc);
    uint8_t received[4];
    for (uint32_t i = 0; i < sizeof received; ++i) {
        received[i] = tinyflow_mcu_uart_read();
    }
    return load_u32(received) == computed ? ERROR_NONE : ERROR_CRC;
}

/* ---- writing ---- */

static void put_u8(uint8_t byte) {
    frame_crc = tinyflow_crc32_byte(frame_crc, byte);
    tinyflow_mcu_uart_write(byte);
}

static void put_u16(uint32_t value) {
    put_u8((uint8_t)value);
    put_u8((uint8_t)(value >> 8));
}

static void put_u32(uint32_t value) {
    put_u16(value);
    put_u16(value >> 16);
}

typedef union {
    float value;
    uint32_t bits;
} pun_t;

static void put_f32(float value) {
    const pun_t pun = {.value = value};
    put_u32(pun.bits);
}

static void put_bytes(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        put_u8(bytes[i]);
    }
}

static void begin_reply(uint8_t command, uint32_t length) {
    tinyflow_mcu_uart_write(SYNC_0);
    tinyflow_mcu_uart_write(SYNC_1);
    frame_crc = TINYFLOW_CRC32_START;
    put_u8(command);
    put_u8(request.sequence);
    put_u16(length);
}

static void begin_answer(uint32_t length) {
    begin_reply((uint8_t)(request.command | REPLY_FLAG), length);
}

static void end_reply(void) {
    put_u32(tinyflow_crc32_end(frame_crc));
    tinyflow_mcu_uart_flush();
}

static void reply_error(uint8_t code) {
    begin_reply(REPLY_ERROR, 1);
    put_u8(code);
    end_reply();
}

/* ---- commands: each replies and returns ERROR_NONE, or returns an error ---- */

static uint32_t text_length(const char *text) {
    uint32_t length = 0;
    while (text[length] != '\0') {
        ++length;
    }
    return length;
}

static void put_text(const char *text) {
    const uint32_t length = text_length(text);
    put_u8((uint8_t)length);
    for (uint32_t i = 0; i < length; ++i) {
        put_u8((uint8_t)text[i]);
    }
}

static uint32_t tensors_length(const tinyflow_tensor_t *tensors, uint32_t count) {
    uint32_t length = 0;
    for (uint32_t i = 0; i < count; ++i) {
        length += 14u + 4u * tensors[i].rank;
    }
    return length;
}

static void put_tensors(const tinyflow_tensor_t *tensors, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        put_u8(tensors[i].type);
        put_u8(tensors[i].rank);
        put_u32(tensors[i].bytes);
        put_f32(tensors[i].scale);
        put_u32((uint32_t)tensors[i].zero_point);
        for (uint32_t axis = 0; axis < tensors[i].rank; ++axis) {
            put_u32(tensors[i].shape[axis]);
        }
    }
}

static uint8_t info(void) {
    if (request.length != 0u) {
        return ERROR_LENGTH;
    }
    begin_answer(26u + text_length(model->name) + text_length(model->board) +
                 tensors_length(model->inputs, model->input_count) +
                 tensors_length(model->outputs, model->output_count));
    put_u16(PROTOCOL_VERSION);
    put_u16(TINYFLOW_HARNESS_MAX_PAYLOAD);
    put_text(model->name);
    put_text(model->board);
    put_bytes(model->digest, sizeof model->digest);
    put_u32(model->arena_bytes);
    put_u32(model->clock_hz);
    put_u16(model->layer_count);
    put_u8(model->input_count);
    put_u8(model->output_count);
    put_tensors(model->inputs, model->input_count);
    put_tensors(model->outputs, model->output_count);
    end_reply();
    return ERROR_NONE;
}

/* Whether a range of bytes is of whole floats. */
static int is_whole(uint32_t offset, uint32_t count) {
    return ((offset | count) & 3u) == 0u;
}

static uint8_t write_input(void) {
    if (request.length < 5u) {
        return ERROR_LENGTH;
    }
    const uint8_t index = request.payload[0];
    const uint32_t offset = load_u32(&request.payload[1]);
    const uint32_t count = request.length - 5u;
    if (index >= model->input_count || offset > model->inputs[index].bytes ||
        count > model->inputs[index].bytes - offset) {
        return ERROR_RANGE;
    }
    if (model->inputs[index].write != NULL) {
        if (!is_whole(offset, count)) {
            return ERROR_RANGE;
        }
        for (uint32_t i = 0; i < count; i += 4u) {
            const pun_t pun = {.bits = load_u32(&request.payload[5u + i])};
            (void)model->inputs[index].write((offset + i) / 4u, &pun.value, 1);
        }
    } else {
        uint8_t *input = (uint8_t *)model->input(index) + offset;
        for (uint32_t i = 0; i < count; ++i) {
            input[i] = request.payload[5u + i];
        }
    }
    begin_answer(0);
    end_reply();
    return ERROR_NONE;
}

static uint8_t invoke(void) {
    if (request.length != 0u) {
        return ERROR_LENGTH;
    }
    const uint32_t start = tinyflow_mcu_cycles();
    last_status = model->invoke();
    last_cycles = tinyflow_mcu_cycles() - start;
    ++inferences;
    begin_answer(8);
    put_u32((uint32_t)last_status);
    put_u32(last_cycles);
    end_reply();
    return ERROR_NONE;
}

static uint8_t read_output(void) {
    if (request.length != 7u) {
        return ERROR_LENGTH;
    }
    const uint8_t index = request.payload[0];
    const uint32_t offset = load_u32(&request.payload[1]);
    const uint32_t count = load_u16(&request.payload[5]);
    if (index >= model->output_count || offset > model->outputs[index].bytes ||
        count > model->outputs[index].bytes - offset) {
        return ERROR_RANGE;
    }
    if (model->outputs[index].read != NULL) {
        if (!is_whole(offset, count)) {
            return ERROR_RANGE;
        }
        begin_answer(count);
        for (uint32_t i = 0; i < count; i += 4u) {
            float value = 0.0f;
            (void)model->outputs[index].read((offset + i) / 4u, &value, 1);
            put_f32(value);
        }
    } else {
        begin_answer(count);
        put_bytes((const uint8_t *)model->output(index) + offset, count);
    }
    end_reply();
    return ERROR_NONE;
}

static uint8_t stats(void) {
    if (request.length != 0u) {
        return ERROR_LENGTH;
    }
    begin_answer(24);
    put_u32(model->arena_bytes);
    put_u32(tinyflow_stack_peak());
    put_u32(tinyflow_stack_size());
    put_u32(last_cycles);
    put_u32(inferences);
    put_u32((uint32_t)last_status);
    end_reply();
    return ERROR_NONE;
}

static uint8_t reset(void) {
    if (request.length != 0u) {
        return ERROR_LENGTH;
    }
    model->init();
    begin_answer(0);
    end_reply();
    return ERROR_NONE;
}

static uint8_t serve(void) {
    switch (request.command) {
    case COMMAND_INFO:
        return info();
    case COMMAND_WRITE_INPUT:
        return write_input();
    case COMMAND_INVOKE:
        return invoke();
    case COMMAND_READ_OUTPUT:
        return read_output();
    case COMMAND_STATS:
        return stats();
    case COMMAND_RESET:
        return reset();
    default:
        return ERROR_COMMAND;
    }
}

_Noreturn void tinyflow_harness_run(const tinyflow_model_t *served) {
    model = served;
    model->init();
    for (;;) {
        uint8_t error = read_request();
        if (error == ERROR_NONE) {
            error = serve();
        }
        if (error != ERROR_NONE) {
            reply_error(error);
        }
    }
}
