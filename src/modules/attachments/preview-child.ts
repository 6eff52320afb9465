import { buffer } from 'node:stream/consumers'
import sharp from 'sharp'

/*
 * Decodes one picture from stdin and writes a small one to stdout. It runs as a process of its own, with no key, no environment, no file to read but
 * the decoder's, and ends with its picture: a decoder is the part of a server that hostile bytes are made for.
 */

/** A picture of 40 megapixels is 160 MB when it is open; whatever says it is larger is not opened. */
const MOST_PIXELS = 40_000_000
const EDGE = 1024
const SECONDS = 10

sharp.cache(false)
sharp.concurrency(1)

const small = await sharp(await buffer(process.stdin), { limitInputPixels: MOST_PIXELS, failOn: 'error', pages: 1, sequentialRead: true })
  .timeout({ seconds: SECONDS })
  .autoOrient()
  .resize(EDGE, EDGE, { fit: 'inside', withoutEnlargement: true })
  .webp({ quality: 80 }) // places, cameras and times that the picture carries are left out
  .toBuffer()
process.stdout.write(small)
