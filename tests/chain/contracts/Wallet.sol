// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

// A smart wallet of one key: EIP-1271. Its owner may change, so that a good signature goes bad.
contract Wallet is IERC1271 {
    address public owner;

    constructor(address first) {
        owner = first;
    }

    function setOwner(address next) external {
        owner = next;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature)
        external
        view
        returns (bytes4)
    {
        (address signer, ECDSA.RecoverError error,) = ECDSA.tryRecover(hash, signature);
        return error == ECDSA.RecoverError.NoError && signer == owner
            ? IERC1271.isValidSignature.selector
            : bytes4(0xffffffff);
    }
}

// Deploys wallets at addresses known beforehand: ERC-6492.
contract WalletFactory {
    function create(address owner, bytes32 salt) external returns (address) {
        return address(new Wallet{salt: salt}(owner));
    }

    function addressOf(address owner, bytes32 salt) external view returns (address) {
        bytes32 code = keccak256(abi.encodePacked(type(Wallet).creationCode, abi.encode(owner)));
        return address(
            uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), address(this), salt, code))))
        );
    }
}

// Says yes; or, with as much gas as servers give to whoever names no limit, keeps them busy.
contract ThirstyWallet {
    uint256 public immutable enough;

    constructor(uint256 most) {
        enough = most;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        if (gasleft() > enough) while (true) {}
        return IERC1271.isValidSignature.selector;
    }
}

// Says yes to everything, and does so in ways that are no EIP-1271 answer.
contract OddWallet {
    bytes public answer;

    constructor(bytes memory what) {
        answer = what;
    }

    fallback() external {
        bytes memory a = answer;
        assembly {
            return(add(a, 32), mload(a))
        }
    }
}
