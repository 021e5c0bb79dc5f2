// A map of square tiles in Web Mercator: dragged, zoomed by the wheel; its pixels are places.
"use strict";
const TILE_PX = 256, MOST_ZOOM = 8, DRAG_PX = 4;

function worldMap(box, layer) {
  const view = { zoom: 1, x: 0.5, y: 0.4 }; // the middle, as shares of the world's square
  let from = null, dragged = false, pinned = null;
  const worldPx = () => TILE_PX * 2 ** view.zoom;
  const modulo = (a, n) => ((a % n) + n) % n;

  // Where the world's corner is, pixels from the box's.
  const corner = () => [box.clientWidth / 2 - view.x * worldPx(), box.clientHeight / 2 - view.y * worldPx()];

  function draw() {
    const [left, top] = corner(), n = 2 ** view.zoom, tiles = [];
    for (let row = 0; row < n; row += 1) {
      const y = top + row * TILE_PX;
      if (y > box.clientHeight || y + TILE_PX < 0) continue;
      for (let at = Math.floor(-left / TILE_PX); left + at * TILE_PX < box.clientWidth; at += 1) {
        const src = `/maps/vt?pb=!1m5!1m4!1i${view.zoom}!2i${modulo(at, n)}!3i${row}!4i256`;
        tiles.push(`<img alt="" src="${src}" style="left:${left + at * TILE_PX}px; top:${y}px">`);
      }
    }
    if (pinned) {
      const x = modulo((pinned.lon / 360 + 0.5) * worldPx() + left, worldPx());
      const y = (0.5 - Math.asinh(Math.tan(pinned.lat * Math.PI / 180)) / (2 * Math.PI)) * worldPx() + top;
      tiles.push(`<div class="pin" style="left:${x}px; top:${y}px"></div>`);
    }
    layer.innerHTML = tiles.join("");
  }

  function placeAt(x, y) {
    const [left, top] = corner();
    const east = modulo((x - left) / worldPx(), 1), south = (y - top) / worldPx();
    return {
      lat: Math.atan(Math.sinh(Math.PI * (1 - 2 * south))) * 180 / Math.PI,
      lon: 360 * east - 180,
    };
  }

  function moveTo(x, y) {
    view.x = modulo(x, 1);
    view.y = Math.min(1, Math.max(0, y));
    draw();
  }

  box.onmousedown = (event) => {
    from = [event.clientX, event.clientY, view.x, view.y];
    dragged = false;
    event.preventDefault();
  };
  box.onmousemove = (event) => {
    if (!from || !(event.buttons & 1)) return;
    const east = event.clientX - from[0], south = event.clientY - from[1];
    dragged = dragged || Math.hypot(east, south) > DRAG_PX;
    if (dragged) moveTo(from[2] - east / worldPx(), from[3] - south / worldPx());
  };
  box.onmouseup = () => { from = null; };
  box.onwheel = (event) => {
    event.preventDefault();
    const area = box.getBoundingClientRect(), [left, top] = corner(), before = worldPx();
    const x = event.clientX - area.left, y = event.clientY - area.top;
    view.zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom - Math.sign(event.deltaY)));
    const scale = worldPx() / before; // what is under the mouse stays there
    moveTo((box.clientWidth / 2 - x + (x - left) * scale) / worldPx(),
      (box.clientHeight / 2 - y + (y - top) * scale) / worldPx());
  };
  new ResizeObserver(draw).observe(box);
  draw();
  return { placeAt, wasDragged: () => dragged, pin: (place) => { pinned = place; draw(); } };
}
