/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "virtio-serial-device", the console device of Virtual I/O Device 1.2, 5.3, and
 * what plugs into it: "virtconsole" (a terminal: /dev/hvcN in Linux) and
 * "virtserialport" (a channel with a name).
 *
 * Queues: 0 and 1 are port 0's receive and transmit queues, 2 and 3 the control
 * queues, then two for each further port. Without VIRTIO_CONSOLE_F_MULTIPORT
 * only port 0 works, and there are no control messages.
 *
 * What is to be said on the control queue is kept as bits of a port's state, not
 * as a list of messages, so that a driver that gives no buffers costs no memory.
 * A port holds at most one request of each queue: the receive buffer that input
 * goes to next, and the transmit buffer that the chardev has not taken all of.
 *
 * Thread: the chardev's side and most queues on the I/O thread, registers and
 * transmit queues on vCPU threads, all under the transport's lock.
 */
#include "backends/chardev.h"
#include "devices/virtio_priv.h"

#include <string.h>

#define MAX_PORTS 31
#define QUEUE_SIZE 128
#define NAME_MAX_LEN 127
/* Requests of a queue in a row before others on the I/O thread have their turn. */
#define BATCH (2 * QUEUE_SIZE)

enum { F_MULTIPORT = 1, F_EMERG_WRITE = 2 };

enum { Q_CONTROL_RX = 2, Q_CONTROL_TX = 3 };

/* The ports' transmit queues. Linux's console puts out 16 bytes at a time and
 * spins until they are taken; waking another thread for each would be slow. */
#define TX_QUEUES (UINT64_C(0xaaaaaaaaaaaaaaaa) & ~(UINT64_C(1) << Q_CONTROL_TX))

/* struct virtio_console_control.event, 5.3.6.2 */
enum {
	EV_DEVICE_READY = 0, EV_PORT_ADD = 1, EV_PORT_REMOVE = 2, EV_PORT_READY = 3, EV_CONSOLE_PORT = 4,
	EV_PORT_OPEN = 6, EV_PORT_NAME = 7,
};

struct control {
	uint32_t id;
	uint16_t event;
	uint16_t value;
};

/* struct virtio_console_config; sizes are known with VIRTIO_CONSOLE_F_SIZE only. */
struct config {
	uint16_t cols, rows;
	uint32_t max_nr_ports;
	uint32_t emerg_wr;
};

_Static_assert(sizeof(struct control) == 8 && sizeof(struct config) == 12, "as in the specification");

/* Control messages due, lowest bit first. */
enum { DUE_ADD = 1, DUE_CONSOLE = 2, DUE_NAME = 4, DUE_OPEN = 8 };

struct port;

struct serial {
	struct devices_virtio vdev;
	uint64_t max_ports;              /* properties */
	bool emergency_write;
	struct virtio_ops ops;           /* features are up to the properties */
	struct port *ports[MAX_PORTS];
	uint32_t removed;                /* ports to be announced as gone, by number */
	bool driver_ready;               /* the driver has said DEVICE_READY */
};

struct port {
	struct devices_device dev;
	char *chardev, *name;            /* properties */
	uint64_t nr;
	struct serial *serial;
	struct backends_chardev *chr;    /* NULL without one */
	bool is_console;
	bool host_open;                  /* the chardev's other side is there */
	bool guest_open;                 /* the driver has opened its side */
	unsigned due;                    /* DUE_* */
	struct virtqueue_elem *rx, *tx;
	size_t tx_done;                  /* bytes of tx that the chardev has taken */
};

extern const struct devices_class devices_virtconsole_class;

static struct serial *serial_of(struct devices_virtio *vdev)
{
	return (struct serial *)vdev;
}

static bool is_multiport(const struct serial *s)
{
	return s->vdev.accepted >> F_MULTIPORT & 1;
}

static unsigned rx_queue(unsigned nr)
{
	return nr == 0 ? 0 : 2 * nr + 2;
}

static struct virtqueue *port_rx(const struct port *p)
{
	return &p->serial->vdev.queues[rx_queue((unsigned)p->nr)];
}

static struct virtqueue *port_tx(const struct port *p)
{
	return port_rx(p) + 1;
}

/* ---- Control messages ---- */

/* False: the driver has given no buffer. */
static bool send_control(struct serial *s, uint32_t id, uint16_t event, uint16_t value, const char *name)
{
	struct virtqueue *vq = &s->vdev.queues[Q_CONTROL_RX];
	uint8_t message[sizeof(struct control) + NAME_MAX_LEN + 1];
	const struct control control = {.id = id, .event = event, .value = value};
	size_t len = sizeof(control), written;
	struct virtqueue_elem *elem = virtqueue_pop(vq);

	if (!elem)
		return false;
	memcpy(message, &control, sizeof(control));
	if (name) {
		/* The terminating zero is sent, too: drivers have come to rely on it. */
		size_t n = strlen(name) + 1;

		memcpy(message + len, name, n);
		len += n;
	}
	written = virtqueue_elem_write(elem, 0, message, len);
	if (written < len)
		devices_guest_error(&s->vdev.dev, "a control buffer of %zu bytes is too small", elem->in_len);
	virtqueue_push(vq, elem, (uint32_t)written);
	return true;
}

static bool send_due(struct serial *s, struct port *p)
{
	while (p->due) {
		unsigned what = p->due & -p->due;
		uint32_t id = (uint32_t)p->nr;
		bool sent = false;

		switch (what) {
		case DUE_ADD:
			sent = send_control(s, id, EV_PORT_ADD, 1, NULL);
			break;
		case DUE_CONSOLE:
			sent = send_control(s, id, EV_CONSOLE_PORT, 1, NULL);
			break;
		case DUE_NAME:
			sent = send_control(s, id, EV_PORT_NAME, 1, p->name);
			break;
		case DUE_OPEN:
			sent = send_control(s, id, EV_PORT_OPEN, p->host_open, NULL);
			break;
		}
		if (!sent)
			return false;
		p->due &= ~what;
	}
	return true;
}

/* Says what there is to say as far as there are buffers. On the I/O thread. */
static void flush_control(struct serial *s)
{
	struct virtqueue *vq = &s->vdev.queues[Q_CONTROL_RX];
	bool blocked = false;

	if (!s->driver_ready)
		return;
	do {
		blocked = false;
		for (unsigned i = 0; i < MAX_PORTS && !blocked; i++) {
			if (s->removed >> i & 1) {
				blocked = !send_control(s, i, EV_PORT_REMOVE, 1, NULL);
				if (blocked)
					break;
				s->removed &= ~(UINT32_C(1) << i);
			}
			if (s->ports[i])
				blocked = !send_due(s, s->ports[i]);
		}
	} while (blocked && virtqueue_want_notify(vq, true));
	virtqueue_interrupt(vq);
}

/* Something is due; for any thread. */
static void due(struct port *p, unsigned what)
{
	struct serial *s = p->serial;

	if (!s->driver_ready)
		return;
	p->due |= what;
	virtio_kick(&s->vdev, Q_CONTROL_RX);
}

static void set_guest_open(struct port *p, bool open)
{
	p->guest_open = open;
	if (!p->chr)
		return;
	backends_chardev_set_fe_open(p->chr, open);
	if (open)
		backends_chardev_accept_input(p->chr);
}

static void handle_control(struct serial *s, const struct control *control)
{
	struct port *p = control->id < s->max_ports ? s->ports[control->id] : NULL;

	if (control->event == EV_DEVICE_READY) {
		if (!control->value) {
			devices_guest_error(&s->vdev.dev, "the driver has failed to set the device up");
			return;
		}
		s->driver_ready = true;
		for (unsigned i = 0; i < MAX_PORTS; i++)
			if (s->ports[i])
				due(s->ports[i], DUE_ADD);
		return;
	}
	if (!p) {
		devices_guest_error(&s->vdev.dev, "control message %u is for port %u, which does not exist",
				    control->event, control->id);
		return;
	}
	switch (control->event) {
	case EV_PORT_READY:
		if (!control->value)
			devices_guest_error(&p->dev, "the driver has failed to set the port up");
		else
			due(p, (p->is_console ? DUE_CONSOLE : 0) | (p->name ? DUE_NAME : 0) |
				       (p->host_open ? DUE_OPEN : 0));
		break;
	case EV_PORT_OPEN:
		set_guest_open(p, control->value);
		break;
	default:
		devices_guest_error(&s->vdev.dev, "control message %u is not one of the driver's", control->event);
		break;
	}
}

static void control_tx(struct serial *s)
{
	struct virtqueue *vq = &s->vdev.queues[Q_CONTROL_TX];
	struct virtqueue_elem *elem;
	unsigned done = 0;

	do {
		while (done < BATCH && (elem = virtqueue_pop(vq))) {
			struct control control;

			if (virtqueue_elem_read(elem, 0, &control, sizeof(control)) == sizeof(control))
				handle_control(s, &control);
			else
				devices_guest_error(&s->vdev.dev, "a control message has %zu bytes", elem->out_len);
			virtqueue_push(vq, elem, 0);
			done++;
		}
	} while (done < BATCH && virtqueue_want_notify(vq, true));
	virtqueue_interrupt(vq);
	if (done == BATCH)
		virtio_kick(&s->vdev, Q_CONTROL_TX);
}

/* ---- Output ---- */

/* False: the chardev is full, and calls writable() once it is not. */
static bool write_out(struct port *p)
{
	size_t skip = p->tx_done;

	for (unsigned i = 0; p->chr && i < p->tx->n_out; i++) {
		const struct iovec *seg = &p->tx->out[i];
		size_t n;

		if (skip >= seg->iov_len) {
			skip -= seg->iov_len;
			continue;
		}
		n = backends_chardev_write(p->chr, (const uint8_t *)seg->iov_base + skip, seg->iov_len - skip);
		p->tx_done += n;
		if (n < seg->iov_len - skip)
			return false;
		skip = 0;
	}
	return true;
}

static void port_tx_run(struct port *p)
{
	struct virtqueue *vq = port_tx(p);
	unsigned done = 0;

	do {
		while (done < BATCH && (p->tx || (p->tx = virtqueue_pop(vq)))) {
			if (!write_out(p)) {
				virtqueue_interrupt(vq);
				return;
			}
			virtqueue_push(vq, p->tx, 0);
			p->tx = NULL;
			p->tx_done = 0;
			done++;
		}
	} while (done < BATCH && virtqueue_want_notify(vq, true));
	virtqueue_interrupt(vq);
	if (done == BATCH)
		virtio_kick(&p->serial->vdev, vq->index);
}

static void chr_writable(void *opaque)
{
	struct port *p = opaque;

	virtio_lock(&p->serial->vdev);
	if (p->tx)
		port_tx_run(p);
	virtio_unlock(&p->serial->vdev);
}

/* ---- Input ---- */

static size_t chr_can_receive(void *opaque)
{
	struct port *p = opaque;
	struct serial *s = p->serial;
	size_t room = 0;

	virtio_lock(&s->vdev);
	if (virtio_is_live(&s->vdev) && (p->guest_open || !is_multiport(s))) {
		struct virtqueue *vq = port_rx(p);

		/* Asks for a notification where there is no buffer, then looks again. */
		if (!p->rx && !(p->rx = virtqueue_pop(vq)) && virtqueue_want_notify(vq, true))
			p->rx = virtqueue_pop(vq);
		room = p->rx ? p->rx->in_len : 0;
	}
	virtio_unlock(&s->vdev);
	return room;
}

static void chr_receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct port *p = opaque;
	struct virtqueue *vq = port_rx(p);

	virtio_lock(&p->serial->vdev);
	/* The guest may have reset the device since it was asked: then its input is lost. */
	if (p->rx) {
		struct virtqueue_elem *elem = p->rx;

		p->rx = NULL;
		virtqueue_push(vq, elem, (uint32_t)virtqueue_elem_write(elem, 0, buf, len));
		virtqueue_interrupt(vq);
	}
	virtio_unlock(&p->serial->vdev);
}

static void chr_event(void *opaque, enum backends_chardev_event event)
{
	struct port *p = opaque;

	/* A console is always there: what a terminal does is the guest's to see,
	 * whether one is attached is not. */
	if (p->is_console || event == BACKENDS_CHARDEV_BREAK)
		return;
	virtio_lock(&p->serial->vdev);
	p->host_open = event == BACKENDS_CHARDEV_OPENED;
	due(p, DUE_OPEN);
	virtio_unlock(&p->serial->vdev);
}

/* ---- The device ---- */

static void get_config(struct devices_virtio *vdev, uint8_t *ret_config)
{
	const struct config config = {.max_nr_ports = (uint32_t)serial_of(vdev)->max_ports};

	memcpy(ret_config, &config, sizeof(config));
}

static void set_config(struct devices_virtio *vdev, unsigned offset, unsigned size, uint32_t value)
{
	struct serial *s = serial_of(vdev);
	uint8_t c = (uint8_t)value;

	if (offset != offsetof(struct config, emerg_wr) || !s->emergency_write)
		devices_guest_error(&vdev->dev, "write at %u of the configuration", offset);
	else if (s->ports[0] && s->ports[0]->chr)
		backends_chardev_write(s->ports[0]->chr, &c, 1);
}

static void queue(struct devices_virtio *vdev, unsigned index)
{
	struct serial *s = serial_of(vdev);
	unsigned nr = index < 2 ? 0 : index / 2 - 1;
	struct port *p = s->ports[nr];

	if (index == Q_CONTROL_RX) {
		flush_control(s);
	} else if (index == Q_CONTROL_TX) {
		control_tx(s);
	} else if (index % 2) {
		if (p && !p->tx)
			port_tx_run(p);
	} else if (p && p->chr) {
		backends_chardev_accept_input(p->chr);
	}
}

static void start(struct devices_virtio *vdev)
{
	struct serial *s = serial_of(vdev);

	/* Without control messages nobody opens port 0 but this. */
	if (!is_multiport(s) && s->ports[0])
		set_guest_open(s->ports[0], true);
}

static void drop_requests(struct port *p)
{
	virtqueue_drop(port_rx(p), p->rx);
	virtqueue_drop(port_tx(p), p->tx);
	p->rx = p->tx = NULL;
	p->tx_done = 0;
}

static void reset_serial(struct devices_virtio *vdev)
{
	struct serial *s = serial_of(vdev);

	s->driver_ready = false;
	s->removed = 0;
	for (unsigned i = 0; i < MAX_PORTS; i++) {
		struct port *p = s->ports[i];

		if (!p)
			continue;
		drop_requests(p);
		p->due = 0;
		if (p->guest_open)
			set_guest_open(p, false);
	}
}

static bool serial_realize(struct devices_device *dev, struct vmd_error *err)
{
	struct serial *s = (struct serial *)dev;

	s->ops = (struct virtio_ops){
		.id = VIRTIO_ID_CONSOLE,
		.features = (s->max_ports > 1 ? 1u << F_MULTIPORT : 0) | (s->emergency_write ? 1u << F_EMERG_WRITE : 0),
		.config_size = sizeof(struct config),
		.get_config = get_config,
		.set_config = set_config,
		.queue = queue,
		.inline_queues = TX_QUEUES,
		.start = start,
		.reset = reset_serial,
	};
	return virtio_init(&s->vdev, &s->ops, s->max_ports > 1 ? 2 * ((unsigned)s->max_ports + 1) : 2, QUEUE_SIZE, err);
}

static void serial_unrealize(struct devices_device *dev)
{
	virtio_exit((struct devices_virtio *)dev);
}

static const struct devices_prop serial_props[] = {
	{.name = "max_ports", .type = DEVICES_PROP_UINT, .offset = offsetof(struct serial, max_ports), .def = "31",
	 .min = 1, .max = MAX_PORTS, .help = "how many ports there can be"},
	{.name = "emergency-write", .type = DEVICES_PROP_BOOL, .offset = offsetof(struct serial, emergency_write),
	 .def = "on", .help = "on: the guest can write a character without a driver"},
	{.name = NULL},
};

const struct devices_class devices_virtio_serial_class = {
	.name = "virtio-serial-device",
	.summary = "virtio console device, with ports that plug into it",
	.bus = DEVICES_BUS_VIRTIO,
	.provides = DEVICES_BUS_VIRTIO_SERIAL,
	.size = sizeof(struct serial),
	.props = serial_props,
	.realize = serial_realize,
	.unrealize = serial_unrealize,
	.reset = virtio_class_reset,
	.fini = virtio_class_fini,
};

/* ---- Ports ---- */

bool virtio_serial_plug(struct devices_device *serial, struct devices_device *dev, struct vmd_error *err)
{
	((struct port *)dev)->serial = (struct serial *)serial;
	return true;
}

/* Takes the number asked for, or the first that is free. Port 0 is a console's. */
static bool take_number(struct port *p, struct vmd_error *err)
{
	struct serial *s = p->serial;
	const struct devices_prop *nr = devices_prop_find(p->dev.cls, "nr");
	uint64_t first = p->is_console ? 0 : 1;

	if (p->dev.props_set >> (nr - p->dev.cls->props) & 1) {
		if (p->nr < first || p->nr >= s->max_ports) {
			vmd_error_set(err, VMD_ERR_INVALID, 0, "%s '%s': nr=%u is not a number of a port here",
				      p->dev.cls->name, p->dev.id, (unsigned)p->nr);
			return vmd_error_hint(err, "it can be %u to %u%s", (unsigned)first, (unsigned)s->max_ports - 1,
					      first ? "; 0 is for a virtconsole" : "");
		}
		if (s->ports[p->nr])
			return vmd_error_set(err, VMD_ERR_BUSY, 0, "%s '%s': nr=%u is port '%s' already",
					     p->dev.cls->name, p->dev.id, (unsigned)p->nr, s->ports[p->nr]->dev.id);
		return true;
	}
	for (p->nr = first; p->nr < s->max_ports && s->ports[p->nr]; p->nr++)
		;
	if (p->nr < s->max_ports)
		return true;
	vmd_error_set(err, VMD_ERR_LIMIT, 0, "%s '%s': '%s' has no free port", p->dev.cls->name, p->dev.id,
		      s->vdev.dev.id);
	return vmd_error_hint(err, "its max_ports is %u%s", (unsigned)s->max_ports,
			      p->is_console ? "" : ", and port 0 is for a virtconsole");
}

static bool port_realize(struct devices_device *dev, struct vmd_error *err)
{
	struct port *p = (struct port *)dev;
	const struct backends_chardev_fe fe = {
		.can_receive = chr_can_receive,
		.receive = chr_receive,
		.event = chr_event,
		.writable = chr_writable,
		.opaque = p,
	};

	if (!p->serial) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s '%s' is not plugged into anything", dev->cls->name, dev->id);
		return vmd_error_hint(err, "it needs a virtio-serial-device");
	}
	p->is_console = dev->cls == &devices_virtconsole_class;
	if (p->name && strlen(p->name) > NAME_MAX_LEN)
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "%s '%s': its name has more than %d bytes", dev->cls->name,
				     dev->id, NAME_MAX_LEN);
	if (p->chardev && !(p->chr = devices_get_chardev(dev, "chardev", p->chardev, err)))
		return false;
	if (!take_number(p, err))
		return false;
	p->host_open = p->is_console;
	virtio_lock(&p->serial->vdev);
	p->serial->ports[p->nr] = p;
	due(p, DUE_ADD);
	virtio_unlock(&p->serial->vdev);
	if (!p->chr)
		return true;
	if (!backends_chardev_attach_fe(p->chr, &fe, err)) {
		virtio_lock(&p->serial->vdev);
		p->serial->ports[p->nr] = NULL;
		virtio_unlock(&p->serial->vdev);
		return false;
	}
	backends_chardev_set_fe_open(p->chr, false);
	return true;
}

static void port_unrealize(struct devices_device *dev)
{
	struct port *p = (struct port *)dev;
	struct serial *s = p->serial;

	if (p->chr)
		backends_chardev_detach_fe(p->chr);
	virtio_lock(&s->vdev);
	drop_requests(p);
	s->ports[p->nr] = NULL;
	if (s->driver_ready) {
		s->removed |= UINT32_C(1) << p->nr;
		virtio_kick(&s->vdev, Q_CONTROL_RX);
	}
	virtio_unlock(&s->vdev);
}

static const struct devices_prop port_props[] = {
	{.name = "chardev", .type = DEVICES_PROP_CHARDEV, .offset = offsetof(struct port, chardev),
	 .help = "the chardev behind the port"},
	{.name = "name", .type = DEVICES_PROP_STRING, .offset = offsetof(struct port, name),
	 .help = "what the guest finds the port by (/dev/virtio-ports/NAME)"},
	{.name = "nr", .type = DEVICES_PROP_UINT, .offset = offsetof(struct port, nr), .max = MAX_PORTS - 1,
	 .help = "the port's number (default: the first that is free)"},
	{.name = NULL},
};

const struct devices_class devices_virtconsole_class = {
	.name = "virtconsole",
	.summary = "terminal on a virtio-serial-device (hvc0)",
	.bus = DEVICES_BUS_VIRTIO_SERIAL,
	.size = sizeof(struct port),
	.props = port_props,
	.realize = port_realize,
	.unrealize = port_unrealize,
};

const struct devices_class devices_virtserialport_class = {
	.name = "virtserialport",
	.summary = "channel on a virtio-serial-device",
	.bus = DEVICES_BUS_VIRTIO_SERIAL,
	.size = sizeof(struct port),
	.props = port_props,
	.realize = port_realize,
	.unrealize = port_unrealize,
};
