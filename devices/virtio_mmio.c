/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "virtio-mmio": virtio over MMIO, Virtual I/O Device 1.2, 4.2; with "legacy",
 * the register layout of version 1 (4.2.4). One slot, with or without a device:
 * an empty one has device id 0.
 *
 * Control registers are read and written as aligned words only; the
 * configuration space from 0x100 on in any size. Version 1 gives the rings as
 * one page number: descriptors, available ring, then the used ring at the next
 * multiple of QueueAlign.
 *
 * Thread: registers on vCPU threads under dev.lock, which is the lock of the
 * whole virtio device (virtio_priv.h).
 */
#include "devices/fdt.h"
#include "devices/reg.h"
#include "devices/virtio_priv.h"

#include <string.h>

#define SLOT_SIZE 0x200
#define CONFIG_BASE 0x100
#define MAGIC 0x74726976u  /* "virt" */
#define VENDOR 0x20444d56u /* "VMD " */

enum { INT_QUEUE = 1, INT_CONFIG = 2 };

struct virtio_mmio {
	struct virtio_transport transport;
	uint32_t interrupt;        /* InterruptStatus */
	uint32_t device_sel, driver_sel, queue_sel, shm_sel;
	uint32_t page_size, align; /* legacy */
	uint32_t pfn[VIRTIO_MAX_QUEUES];
};

static struct virtio_mmio *mmio_of(struct devices_device *dev)
{
	return (struct virtio_mmio *)dev;
}

static struct devices_virtio *vdev_of(struct devices_device *dev)
{
	return mmio_of(dev)->transport.vdev;
}

static void update_irq(struct virtio_mmio *s)
{
	emu_irq_set(&s->transport.dev.irq[0], s->interrupt != 0);
}

static void interrupt_queue(struct virtio_transport *transport, unsigned queue)
{
	struct virtio_mmio *s = (struct virtio_mmio *)transport;

	s->interrupt |= INT_QUEUE;
	update_irq(s);
}

static void interrupt_config(struct virtio_transport *transport)
{
	struct virtio_mmio *s = (struct virtio_mmio *)transport;

	s->interrupt |= INT_CONFIG;
	update_irq(s);
}

/* The device resets, by its driver's wish or another. What selects and scales
 * stays: a legacy driver sets GuestPageSize once, before its first reset. */
static void transport_reset(struct virtio_transport *transport)
{
	struct virtio_mmio *s = (struct virtio_mmio *)transport;

	s->interrupt = 0;
	memset(s->pfn, 0, sizeof(s->pfn));
	update_irq(s);
}

/* ---- Registers of both versions ---- */

static uint32_t read_magic(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return MAGIC;
}

static uint32_t read_version(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return mmio_of(dev)->transport.legacy ? 1 : 2;
}

static uint32_t read_device_id(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return vdev_of(dev) ? vdev_of(dev)->ops->id : 0;
}

static uint32_t read_vendor_id(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return VENDOR;
}

static uint32_t read_device_features(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return vdev_of(dev) ? virtio_offered_features(vdev_of(dev), mmio_of(dev)->device_sel) : 0;
}

static void write_device_features_sel(struct devices_device *dev, unsigned i, uint32_t raw)
{
	mmio_of(dev)->device_sel = raw;
}

static void write_driver_features(struct devices_device *dev, unsigned i, uint32_t raw)
{
	if (vdev_of(dev))
		virtio_accept_features(vdev_of(dev), mmio_of(dev)->driver_sel, raw);
}

static void write_driver_features_sel(struct devices_device *dev, unsigned i, uint32_t raw)
{
	mmio_of(dev)->driver_sel = raw;
}

static void write_queue_sel(struct devices_device *dev, unsigned i, uint32_t raw)
{
	mmio_of(dev)->queue_sel = raw;
}

/* The selected queue; NULL if there is none. */
static struct virtqueue *selected(struct devices_device *dev)
{
	struct devices_virtio *vdev = vdev_of(dev);
	uint32_t sel = mmio_of(dev)->queue_sel;

	return vdev && sel < vdev->n_queues ? &vdev->queues[sel] : NULL;
}

/* The selected queue if its registers may be written now. */
static struct virtqueue *writable(struct devices_device *dev, const char *what)
{
	struct virtqueue *vq = selected(dev);

	if (vq && !vq->ready && virtio_may_configure(vq->vdev))
		return vq;
	if (vdev_of(dev))
		devices_guest_error(dev, "%s of queue %u is written, which %s", what, mmio_of(dev)->queue_sel,
				    vq ? "is in use" : "does not exist");
	return NULL;
}

static uint32_t read_queue_num_max(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return selected(dev) ? selected(dev)->max : 0;
}

static void write_queue_num(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct virtqueue *vq = writable(dev, "QueueNum");

	if (vq && virtqueue_size_ok(vq, raw))
		vq->size = (uint16_t)raw;
	else if (vq)
		devices_guest_error(dev, "queue %u: its size cannot be %u", vq->index, raw);
}

static void write_queue_notify(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct devices_virtio *vdev = vdev_of(dev);

	if (vdev && raw < vdev->n_queues)
		virtio_notify(vdev, raw);
	else if (vdev)
		devices_guest_error(dev, "notification of queue %u, which does not exist", raw);
}

static uint32_t read_interrupt_status(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return mmio_of(dev)->interrupt;
}

static void write_interrupt_ack(struct devices_device *dev, unsigned i, uint32_t raw)
{
	mmio_of(dev)->interrupt &= ~raw;
	update_irq(mmio_of(dev));
}

static uint32_t read_status(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return vdev_of(dev) ? vdev_of(dev)->status : 0;
}

static void write_status(struct devices_device *dev, unsigned i, uint32_t raw)
{
	if (vdev_of(dev))
		virtio_set_status(vdev_of(dev), (uint8_t)raw);
}

static uint32_t read_generation(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return vdev_of(dev) ? vdev_of(dev)->generation : 0;
}

/* ---- Version 2 ---- */

static uint32_t read_queue_ready(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return selected(dev) ? selected(dev)->ready : 0;
}

static void write_queue_ready(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct virtqueue *vq = selected(dev);

	if (raw == 0 && vq && virtio_may_configure(vq->vdev)) {
		vq->ready = false;
		return;
	}
	vq = writable(dev, "QueueReady");
	if (vq && !virtqueue_enable(vq))
		virtio_broken(vq->vdev, "queue %u: its rings are misaligned or not in RAM", vq->index);
}

static void set_half(uint64_t *value, unsigned i, uint32_t raw)
{
	*value &= ~(UINT64_C(0xffffffff) << (32 * i));
	*value |= (uint64_t)raw << (32 * i);
}

static void write_queue_desc(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct virtqueue *vq = writable(dev, "QueueDesc");

	if (vq)
		set_half(&vq->desc_pa, i, raw);
}

static void write_queue_driver(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct virtqueue *vq = writable(dev, "QueueDriver");

	if (vq)
		set_half(&vq->avail_pa, i, raw);
}

static void write_queue_device(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct virtqueue *vq = writable(dev, "QueueDevice");

	if (vq)
		set_half(&vq->used_pa, i, raw);
}

static void write_shm_sel(struct devices_device *dev, unsigned i, uint32_t raw)
{
	mmio_of(dev)->shm_sel = raw;
}

/* A shared memory region that does not exist has a length (and base) of all ones. */
static uint32_t read_no_shm(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return UINT32_MAX;
}

/* ---- Version 1 ---- */

static void write_guest_page_size(struct devices_device *dev, unsigned i, uint32_t raw)
{
	mmio_of(dev)->page_size = raw;
}

static void write_queue_align(struct devices_device *dev, unsigned i, uint32_t raw)
{
	if (raw && (raw & (raw - 1)) == 0)
		mmio_of(dev)->align = raw;
	else
		devices_guest_error(dev, "QueueAlign cannot be 0x%x", raw);
}

static uint32_t read_queue_pfn(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return selected(dev) ? mmio_of(dev)->pfn[mmio_of(dev)->queue_sel] : 0;
}

static void write_queue_pfn(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct virtio_mmio *s = mmio_of(dev);
	struct virtqueue *vq = selected(dev);
	uint64_t align = s->align ? s->align : 4096;

	if (raw == 0) {
		/* A legacy driver stops a queue so, running or not: its ring starts afresh. */
		if (vq && vq->ready)
			virtio_set_status(vq->vdev, 0);
		return;
	}
	vq = writable(dev, "QueuePFN");
	if (!vq)
		return;
	s->pfn[vq->index] = raw;
	vq->desc_pa = (uint64_t)raw * (s->page_size ? s->page_size : 4096);
	vq->avail_pa = vq->desc_pa + 16 * (uint64_t)vq->size;
	vq->used_pa = (vq->avail_pa + 6 + 2 * (uint64_t)vq->size + align - 1) & ~(align - 1);
	if (!virtqueue_enable(vq))
		virtio_broken(vq->vdev, "queue %u: its rings are misaligned or not in RAM", vq->index);
}

static const struct devices_reg rows_v2[] = {
	{.name = "MagicValue", .offset = 0x000, .read = read_magic},
	{.name = "Version", .offset = 0x004, .read = read_version},
	{.name = "DeviceID", .offset = 0x008, .read = read_device_id},
	{.name = "VendorID", .offset = 0x00c, .read = read_vendor_id},
	{.name = "DeviceFeatures", .offset = 0x010, .read = read_device_features},
	{.name = "DeviceFeaturesSel", .offset = 0x014, .write = write_device_features_sel},
	{.name = "DriverFeatures", .offset = 0x020, .write = write_driver_features},
	{.name = "DriverFeaturesSel", .offset = 0x024, .write = write_driver_features_sel},
	{.name = "QueueSel", .offset = 0x030, .write = write_queue_sel},
	{.name = "QueueNumMax", .offset = 0x034, .read = read_queue_num_max},
	{.name = "QueueNum", .offset = 0x038, .write = write_queue_num},
	{.name = "QueueReady", .offset = 0x044, .read = read_queue_ready, .write = write_queue_ready},
	{.name = "QueueNotify", .offset = 0x050, .write = write_queue_notify},
	{.name = "InterruptStatus", .offset = 0x060, .read = read_interrupt_status},
	{.name = "InterruptACK", .offset = 0x064, .write = write_interrupt_ack},
	{.name = "Status", .offset = 0x070, .read = read_status, .write = write_status},
	{.name = "QueueDesc", .offset = 0x080, .count = 2, .write = write_queue_desc},
	{.name = "QueueDriver", .offset = 0x090, .count = 2, .write = write_queue_driver},
	{.name = "QueueDevice", .offset = 0x0a0, .count = 2, .write = write_queue_device},
	{.name = "SHMSel", .offset = 0x0ac, .write = write_shm_sel},
	{.name = "SHMLen", .offset = 0x0b0, .count = 2, .read = read_no_shm},
	{.name = "SHMBase", .offset = 0x0b8, .count = 2, .read = read_no_shm},
	{.name = "ConfigGeneration", .offset = 0x0fc, .read = read_generation},
	{.name = NULL},
};

static const struct devices_reg rows_v1[] = {
	{.name = "MagicValue", .offset = 0x000, .read = read_magic},
	{.name = "Version", .offset = 0x004, .read = read_version},
	{.name = "DeviceID", .offset = 0x008, .read = read_device_id},
	{.name = "VendorID", .offset = 0x00c, .read = read_vendor_id},
	{.name = "HostFeatures", .offset = 0x010, .read = read_device_features},
	{.name = "HostFeaturesSel", .offset = 0x014, .write = write_device_features_sel},
	{.name = "GuestFeatures", .offset = 0x020, .write = write_driver_features},
	{.name = "GuestFeaturesSel", .offset = 0x024, .write = write_driver_features_sel},
	{.name = "GuestPageSize", .offset = 0x028, .write = write_guest_page_size},
	{.name = "QueueSel", .offset = 0x030, .write = write_queue_sel},
	{.name = "QueueNumMax", .offset = 0x034, .read = read_queue_num_max},
	{.name = "QueueNum", .offset = 0x038, .write = write_queue_num},
	{.name = "QueueAlign", .offset = 0x03c, .write = write_queue_align},
	{.name = "QueuePFN", .offset = 0x040, .read = read_queue_pfn, .write = write_queue_pfn},
	{.name = "QueueNotify", .offset = 0x050, .write = write_queue_notify},
	{.name = "InterruptStatus", .offset = 0x060, .read = read_interrupt_status},
	{.name = "InterruptACK", .offset = 0x064, .write = write_interrupt_ack},
	{.name = "Status", .offset = 0x070, .read = read_status, .write = write_status},
	{.name = NULL},
};

static const struct devices_regs regs_v2 = {.rows = rows_v2};
static const struct devices_regs regs_v1 = {.rows = rows_v1};

static bool mmio_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	struct virtio_mmio *s = opaque;
	struct devices_device *dev = &s->transport.dev;

	if (offset >= CONFIG_BASE) {
		*ret_value = s->transport.vdev ? virtio_read_config(s->transport.vdev, offset - CONFIG_BASE, size) : 0;
	} else if (size == 4) {
		*ret_value = devices_reg_read(dev, s->transport.legacy ? &regs_v1 : &regs_v2, offset, size);
	} else {
		devices_guest_error(dev, "read of %u bytes at 0x%x: control registers are words", size,
				    (unsigned)offset);
		*ret_value = 0;
	}
	return true;
}

static bool mmio_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_mmio *s = opaque;
	struct devices_device *dev = &s->transport.dev;

	if (offset >= CONFIG_BASE) {
		if (s->transport.vdev)
			virtio_write_config(s->transport.vdev, offset - CONFIG_BASE, size, (uint32_t)value);
	} else if (size == 4) {
		devices_reg_write(dev, s->transport.legacy ? &regs_v1 : &regs_v2, offset, size, (uint32_t)value);
	} else {
		devices_guest_error(dev, "write of %u bytes at 0x%x: control registers are words", size,
				    (unsigned)offset);
	}
	return true;
}

static const struct emu_mmio_ops mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
	.min_size = 1,
	.max_size = 4,
};

/* ---- Life ---- */

static bool realize(struct devices_device *dev, struct vmd_error *err)
{
	struct virtio_transport *transport = &mmio_of(dev)->transport;

	transport->interrupt_queue = interrupt_queue;
	transport->interrupt_config = interrupt_config;
	transport->reset = transport_reset;
	return devices_map(dev,
			   &(struct emu_region_desc){
				   .name = dev->cls->name,
				   .kind = EMU_REGION_MMIO,
				   .base = dev->wiring.base,
				   .size = SLOT_SIZE,
				   .ops = &mmio_ops,
				   .opaque = dev,
				   .lock = &dev->lock,
			   },
			   err) != NULL;
}

static void reset(struct devices_device *dev)
{
	struct virtio_mmio *s = mmio_of(dev);

	/* The virtio device is reset on its own, before or after. */
	pthread_mutex_lock(&dev->lock);
	s->device_sel = s->driver_sel = s->queue_sel = s->shm_sel = 0;
	s->page_size = s->align = 0;
	transport_reset(&s->transport);
	pthread_mutex_unlock(&dev->lock);
}

static bool add_node(struct devices_device *dev, void *fdt, const struct devices_fdt *ctx, struct vmd_error *err)
{
	const uint64_t reg[][2] = {{dev->wiring.base, SLOT_SIZE}};
	struct devices_node node = devices_node_open(fdt, "virtio_mmio", dev->wiring.base);

	devices_node_strings(&node, "compatible", "virtio,mmio\0");
	devices_node_reg(&node, reg, 1);
	devices_node_spis(&node, ctx, dev->wiring.spi, 1, DEVICES_FDT_LEVEL_HIGH);
	devices_node_empty(&node, "dma-coherent");
	return devices_node_close(&node, err);
}

static const struct devices_prop props[] = {
	{.name = "legacy", .type = DEVICES_PROP_BOOL, .offset = offsetof(struct virtio_mmio, transport.legacy), .def = "off",
	 .help = "on: the register layout of version 1, for old drivers"},
	{.name = NULL},
};

const struct devices_class devices_virtio_mmio_class = {
	.name = "virtio-mmio",
	.summary = "virtio transport over MMIO",
	.provides = DEVICES_BUS_VIRTIO,
	.size = sizeof(struct virtio_mmio),
	.props = props,
	.realize = realize,
	.reset = reset,
	.fdt = add_node,
};
