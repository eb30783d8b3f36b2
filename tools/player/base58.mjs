// Base58, as Solana writes its addresses.
const LETTERS = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

export function base58(bytes) {
  let number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  let text = '';
  for (; number > 0n; number /= 58n) text = LETTERS[Number(number % 58n)] + text;
  for (let i = 0; i < bytes.length && bytes[i] === 0; i++) text = `1${text}`;
  return text;
}

// An address's 32 bytes; null where it is none.
export function unbase58(text) {
  let number = 0n;
  for (const letter of text) {
    const value = LETTERS.indexOf(letter);
    if (value < 0 || text.length > 44) return null;
    number = number * 58n + BigInt(value);
  }
  const bytes = new Uint8Array(32);
  for (let i = 31; i >= 0; i--, number >>= 8n) bytes[i] = Number(number & 255n);
  return number === 0n && base58(bytes) === text ? bytes : null;
}
