// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC721Upgradeable} from
    "@openzeppelin/contracts-upgradeable/token/ERC721/ERC721Upgradeable.sol";

// OpenZeppelin's ERC-721 for proxies: what it keeps lies in a namespace of its own (ERC-7201).
contract Upgradeable721 is ERC721Upgradeable {
    function mint(address to, uint256 id) external {
        _mint(to, id);
    }

    function move(address to, uint256 id) external {
        _update(to, id, address(0));
    }
}
