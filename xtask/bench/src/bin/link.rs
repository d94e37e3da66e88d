//! A link that takes its time, where the kernel has no netem: two TUN devices, and every packet that goes into one comes out
//! of the other after a while. `cargo xtask bench` puts each into a network namespace of its own.
//!
//! `link DEVICE DEVICE MICROSECONDS` says `ready`, and ends with its standard input.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tun_rs::{DeviceBuilder, SyncDevice};

fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [near, far, delay_us] = &arguments[..] else {
        panic!("link DEVICE DEVICE MICROSECONDS");
    };
    let delay = Duration::from_micros(delay_us.parse().expect("a number of microseconds"));
    let (near, far) = (device(near)?, device(far)?);
    carry(near.clone(), far.clone(), delay);
    carry(far, near, delay);
    println!("ready");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn device(name: &str) -> io::Result<Arc<SyncDevice>> {
    let device = DeviceBuilder::new().name(name).mtu(MTU).enable(false);
    Ok(Arc::new(device.build_sync()?))
}

/// Packets on their way, each with the moment it arrives.
type Road = (Mutex<VecDeque<(Instant, Vec<u8>)>>, Condvar);

/// Carries packets one way. The order stays; there is no limit to how many are on their way.
fn carry(from: Arc<SyncDevice>, to: Arc<SyncDevice>, delay: Duration) {
    let road = Arc::new(Road::default());
    let entrance = road.clone();
    std::thread::spawn(move || {
        let mut packet = vec![0; usize::from(MTU) + 64];
        loop {
            let Ok(size) = from.recv(&mut packet) else {
                // The device is down while it moves to its namespace.
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            let arrival = Instant::now() + delay;
            let mut packets = entrance.0.lock().unwrap();
            packets.push_back((arrival, packet[..size].to_vec()));
            entrance.1.notify_one();
        }
    });
    std::thread::spawn(move || {
        loop {
            let mut packets = road.0.lock().unwrap();
            while packets.is_empty() {
                packets = road.1.wait(packets).unwrap();
            }
            let Some((arrival, packet)) = packets.pop_front() else {
                continue;
            };
            drop(packets);
            std::thread::sleep(arrival.saturating_duration_since(Instant::now()));
            // A packet that the device does not take is lost, as on any link.
            drop(to.send(&packet));
        }
    });
}

const MTU: u16 = 1500;
