/** Saves what a tile shows as a file: `Yard 2026-11-22 14.03.59.png`. */

/** A file name that every system takes. Pure; `date` is when the picture was taken. */
export function pictureName(camera, date) {
  const two = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(".");
  const name = camera.replace(/[\\/:*?"<>|\u0000-\u001f]+/g, " ").replace(/\s+/g, " ").trim().slice(0, 80) || "camera";
  return `${name} ${day} ${time}.png`;
}

/** Resolves to the file's name, or null if there is no picture. `takenAt` is in milliseconds. */
export async function savePicture(tile, takenAt) {
  const picture = await tile.snapshot();
  if (!picture) return null;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(picture);
  link.download = pictureName(tile.name, new Date(takenAt));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000); // some browsers begin to read after the click
  return link.download;
}
