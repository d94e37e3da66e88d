// The HTML of a mail at desktop and phone width at once. The frames are sandboxed: nothing in them runs or loads, and
// nothing here looks into them.

import { fromTemplate } from "./dom.js";

/** Both frames, scaled alike to fit the room there is. */
export function preview(url) {
  const box = fromTemplate("preview-template");
  for (const frame of box.querySelectorAll("iframe")) frame.src = url;
  // Its first call comes as soon as the box has a size, and then whenever that changes.
  new ResizeObserver(() => fit(box)).observe(box);
  return box;
}

function fit(box) {
  const room = box.clientWidth;
  if (room === 0) return;
  const devices = [...box.children];
  const widths = devices.map((device) => Number(device.dataset.width) + scrollbarWidth);
  const both = widths.reduce((sum, width) => sum + width, 0) + GAP_PX;
  const isStacked = room / both < SMALLEST_SCALE_BESIDE;
  box.classList.toggle("stacked", isStacked);
  devices.forEach((device, index) => {
    const scale = Math.min(1, isStacked ? room / widths[index] : (room - GAP_PX) / (both - GAP_PX));
    device.style.setProperty("--frame-width", `${widths[index]}px`);
    device.style.setProperty("--scale", scale.toFixed(4));
  });
}

/** Scrollbars take room from the page on most desktops, but not on a phone: the frame is wider by as much. */
function measureScrollbar() {
  const probe = document.createElement("div");
  probe.className = "scrollbar-probe";
  document.body.append(probe);
  const width = probe.offsetWidth - probe.clientWidth;
  probe.remove();
  return width;
}

const scrollbarWidth = measureScrollbar();
const GAP_PX = 24;
// Below this, letters of the mail are too small to read.
const SMALLEST_SCALE_BESIDE = 0.6;
