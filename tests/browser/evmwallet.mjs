// An EVM wallet of the tests: announced in the page as extensions are (EIP-6963), it signs here.
let count = 0;

// Puts a wallet into every page of `context` that is opened from now on. `methods`: what it answers,
// by JSON-RPC's names; an error's `code` is told. Returns emit(page, event, value) for EIP-1193's events.
export async function announce(context, name, methods) {
  const binding = `testWallet${count += 1}`;
  await context.exposeBinding(binding, async (_, { method, params }) => {
    try {
      if (!methods[method]) throw Object.assign(new Error(method), { code: 4200 });
      return { result: await methods[method](params ?? []) };
    } catch (error) {
      return { error: { code: error.code, message: error.message } };
    }
  });
  await context.addInitScript(([called, bound]) => {
    const listeners = new Map();
    const provider = {
      async request(asked) {
        const { error, result } = await window[bound](asked);
        if (error) throw Object.assign(new Error(error.message), error);
        return result;
      },
      on: (event, heard) => listeners.set(event, [...(listeners.get(event) ?? []), heard]),
      removeListener: (event, heard) => listeners.set(event,
        (listeners.get(event) ?? []).filter((one) => one !== heard)),
    };
    window[`${bound}Emit`] = (event, value) =>
      (listeners.get(event) ?? []).forEach((heard) => heard(value));
    const detail = Object.freeze({ info: { uuid: bound, name: called, icon: 'data:,',
      rdns: 'example.wallet' }, provider });
    const tell = () => window.dispatchEvent(
      new CustomEvent('eip6963:announceProvider', { detail }));
    window.addEventListener('eip6963:requestProvider', tell);
    tell();
  }, [name, binding]);
  return (page, event, value) => page.evaluate(
    ([bound, said, what]) => window[`${bound}Emit`](said, what), [binding, event, value]);
}

// The methods of a wallet with one key, of ethers'.
export const ofKey = (ethers, key, chain = 31337) => ({
  eth_requestAccounts: () => [key.address],
  eth_chainId: () => `0x${chain.toString(16)}`,
  eth_getCode: () => '0x',
  personal_sign: ([message]) => key.signMessage(ethers.getBytes(message)),
});
